"""The counts of equations against ranks computed numerically, and their command."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import jacrev

from attacks.invert import counting
from attacks.invert.peeling.cliff import GATES, OUTER, SLOPE, cliffs, predicted, whole
from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.graph import read_graph
from defenses import BadInput
from tests.conftest import seeded

SHAPE = (2, 6, 6)


def chain(*layers):
    return nn.Sequential(*layers).eval()


def pooled():
    return chain(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def counted(model):
    return cliffs(read_graph(model, SHAPE))


def test_each_layer_is_counted_with_what_is_unknown_of_it():
    head, top, first = counted(pooled())
    assert (head.kind, head.unknowns, head.equations) == (OUTER, 8 + 4, 32)
    # The window of 4 x 4 looks at 16 of the 36 places of each of the 8 channels.
    assert (top.kind, top.unknowns, top.equations) == (GATES, 3 * 36 + 8 * 16, 8 * 3 * 9)
    assert (first.kind, first.unknowns, first.equations) == (SLOPE, 2 * 36, 3 * 2 * 9)
    assert (first.rate, first.values) == (0.0, 72)


def test_a_residual_block_below_a_solved_one_has_its_gates_told():
    import victims

    layers = counted(victims.load_model("resnet20-4", image_shape=SHAPE, classes=4))
    assert [layer.kind for layer in layers[:3]] == [OUTER, GATES, SLOPE]
    assert {layer.kind for layer in layers[2:]} == {SLOPE}


def test_equations_run_out_where_the_rank_of_those_left_says_so():
    geometry = Geometry((6, 6), (3, 3), (1, 1), (1, 1))
    slope = torch.randn(1, 8, 6, 6, generator=seeded(), dtype=torch.float64)
    system = geometry.system(slope)[torch.randperm(72, generator=seeded(1))]
    layer = cliffs(read_graph(pooled(), SHAPE))[2]
    per_channel = layer.unknowns // SHAPE[0]
    for rows in (per_channel - 1, per_channel, 72):
        rank = int(torch.linalg.matrix_rank(system[:rows]))
        assert rank == min(rows, per_channel)


def test_with_gates_unknown_the_rank_falls_short_by_the_common_scale_alone():
    geometry = Geometry((4, 4), (3, 3), (1, 1), (1, 1))
    fed = torch.randn(3, 16, generator=seeded(), dtype=torch.float64)
    opened = torch.randn(12, 16, generator=seeded(1), dtype=torch.float64)
    unknowns = fed.numel() + opened.numel()

    def gradient(point):
        inputs, slopes = point[: fed.numel()].reshape(1, 3, 4, 4), point[fed.numel() :]
        return (slopes.reshape(12, 16) @ geometry.unfold(inputs)[0]).flatten()

    slopes = jacrev(gradient)(torch.cat([fed.flatten(), opened.flatten()]))
    order = torch.randperm(len(slopes), generator=seeded(2))
    assert len(slopes) > unknowns
    for rows in (unknowns // 2, len(slopes)):
        rank = int(torch.linalg.matrix_rank(slopes[order[:rows]]))
        assert rank == min(rows, unknowns - 1)


def test_the_cliff_is_that_of_the_first_layer_that_says_as_much_as_the_picture():
    layers = counted(pooled())
    assert predicted(layers, 72) is None  # the layer that would say it runs out from the start
    assert predicted(layers[:2], 108) is None
    wide = counted(chain(nn.Flatten(), nn.Linear(72, 90), nn.ReLU(), nn.Linear(90, 4)))
    assert predicted(wide, 72) == pytest.approx(1 - 1 / 90)
    assert whole(144, 72) == 0.5


def test_the_command_prints_every_layer_and_the_cliff(capsys):
    argv = ["--model", "mlp", "--image-shape", "1", "6", "6", "--classes", "4", "--rate", "0.999"]
    assert counting.main(argv) == 0
    said = capsys.readouterr().out
    assert "| 1.1 | slope known | 36 | 9,216 | 9, too few | 99.6" in said
    assert "Predicted cliff: 99.6" in said


def test_a_layer_without_a_rule_is_named(capsys):
    assert counting.main(["--model", "lenet"]) == 0
    assert "no rule covers Sigmoid" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [["--rate", "1"], ["--batch", "0"], ["--classes", "1"], ["--model", "nobody"]],
)
def test_bad_input_is_refused(argv):
    with pytest.raises(BadInput):
        counting.main(argv)


def test_the_last_layer_tells_a_batch_at_no_rate():
    def flat_gradient(unknowns):
        slopes, inputs = unknowns[: 2 * 5].reshape(2, 5), unknowns[2 * 5 :].reshape(2, 12)
        return torch.cat([(slopes.T @ inputs).flatten(), slopes.sum(0)])

    draw = torch.randn(2 * 17, generator=seeded(2), dtype=torch.float64)
    rank = int(torch.linalg.matrix_rank(jacrev(flat_gradient)(draw)))
    assert rank == 2 * 17 - (2**2 - 2)  # every mixing of the two that keeps the bias fits as well
    (head,) = cliffs(read_graph(chain(nn.Flatten(), nn.Linear(72, 5)), SHAPE), batch=2)
    assert (head.kind, head.rate) == (OUTER, 0.0)
    assert predicted([head], 2 * 72) is None
