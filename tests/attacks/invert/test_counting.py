"""The counts of equations against ranks computed numerically, and their command."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import jacrev

from attacks.invert import counting
from attacks.invert.peeling.cliff import GATES, OUTER, SLOPE, Picture, update_cliff
from attacks.invert.peeling.expected import enough, rate_of, share_told
from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.layer_cliffs import cliffs
from attacks.invert.peeling.trace import read_graph
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


def falls(layers, pixels):
    return Picture(tuple(layers), pixels).falls


def test_the_cliff_is_that_of_the_first_layer_that_says_as_much_as_the_picture():
    layers = counted(pooled())
    assert falls(layers, 72) is None  # the layer that would say it runs out from the start
    top = falls(layers, 108)  # of 216 equations for 236 unknowns there are none to spare
    assert top is None
    wide = counted(chain(nn.Flatten(), nn.Linear(72, 90), nn.ReLU(), nn.Linear(90, 4)))
    assert wide[1].kind == OUTER
    assert wide[1].rows == 45  # a ReLU passes on half of the 90
    one, half = falls(wide, 72)
    assert one < half < wide[1].rate + 0.1
    assert update_cliff(144, 72) == 0.5


@pytest.mark.parametrize(("rows", "columns", "rate"), [(20, 60, 0.8), (20, 60, 0.93), (9, 40, 0.5)])
def test_columns_of_an_outer_product_are_told_as_the_rank_of_its_slopes_says(rows, columns, rate):
    """The Jacobian of what is seen, in float64: what its null space leaves alone is told."""
    draw = seeded(4)
    shares = []
    for _ in range(40):
        slopes, fed = (torch.randn(n, generator=draw, dtype=torch.float64) for n in (rows, columns))
        seen = torch.rand(rows, columns, generator=draw) > rate
        places = seen.nonzero()
        jacobian = torch.zeros(len(places), rows + columns, dtype=torch.float64)
        index = torch.arange(len(places))
        jacobian[index, places[:, 0]] = fed[places[:, 1]]
        jacobian[index, rows + places[:, 1]] = slopes[places[:, 0]]
        # One length is open anyway: fix it at the column that most entries speak about.
        anchor = int(seen.sum(0).argmax())
        jacobian = torch.cat([jacobian, torch.eye(rows + columns)[rows + anchor][None].double()])
        values = torch.linalg.svd(jacobian)
        rank = int((1e-9 * values.S[0] < values.S).sum())
        open_ones = values.Vh[rank:, rows:].abs().amax(0) if rank < rows + columns else None
        told = torch.ones(columns) if open_ones is None else (open_ones < 1e-8).double()
        shares.append(float(told.mean()))
    mean = sum(shares) / len(shares)
    assert mean == pytest.approx(share_told(rows, columns, rate), abs=0.04)


@pytest.mark.parametrize("rate", [0.2, 0.45, 0.6])
@pytest.mark.parametrize("stride", [1, 2])
def test_channels_are_told_as_often_as_the_rank_of_what_is_left_says(stride, rate):
    model = chain(
        nn.Conv2d(2, 8, 3, stride=stride, padding=1),
        nn.Flatten(),
        nn.Linear(8 * 36 // stride**2, 4),
    )
    layer = counted(model)[-1]
    assert (layer.kind, layer.channels) == (SLOPE, 2)
    geometry = Geometry((6, 6), (3, 3), (stride, stride), (1, 1))
    edge = 6 // stride
    draw = seeded(5)
    values, channels = [], []
    for _ in range(60):
        slope = torch.randn(1, 8, edge, edge, generator=draw, dtype=torch.float64)
        rows = geometry.system(slope)[torch.rand(72, generator=draw) > rate]
        found = torch.linalg.svd(rows)
        rank = int((1e-9 * found.S[0] < found.S).sum())
        told = found.Vh[rank:].abs().amax(0) < 1e-8 if rank < 36 else torch.ones(36)
        values.append(float(told.double().mean()))
        channels.append(rank == 36)
    expected = layer.share(rate)
    assert sum(values) / 60 == pytest.approx(expected, abs=0.12)
    chance = layer.whole(rate) ** (1 / layer.channels)
    assert sum(channels) / 60 == pytest.approx(chance, abs=0.15)


def test_a_stride_leaves_parts_with_fewer_equations_than_the_mean():
    (layer,) = counted(
        chain(nn.Conv2d(2, 8, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(72, 4))
    )[1:]
    # One place in four is seen by 1 tap, two by 2, one by 4; of 9 places each.
    assert sorted(layer.parts) == [(9, 8), (9, 16), (9, 16), (9, 32)]
    assert layer.share(0.0) == pytest.approx(0.75)
    assert layer.whole(0.0) == 0.0


def test_the_rate_at_which_a_share_falls_is_found():
    assert rate_of(lambda rate: 1 - rate, 0.25) == pytest.approx(0.75)
    assert rate_of(lambda rate: 0.1, 0.5) == 0.0
    assert enough(3, 3, 0.5) == pytest.approx(1 / 8)
    assert share_told(10, 1000, 0.9) == pytest.approx(1 - 0.9**10, rel=1e-3)
    assert share_told(10, 10, 0.95) == pytest.approx(0, abs=1e-6)  # p^2 R C = 0.25: no component


def test_the_command_prints_every_layer_and_the_cliff(capsys):
    argv = ["--model", "mlp", "--image-shape", "1", "6", "6", "--classes", "4", "--rate", "0.99"]
    assert counting.main(argv) == 0
    said = capsys.readouterr().out
    assert "| 1.1 | outer product | 164 | 4,608 | 46, too few |" in said
    assert "Predicted cliff: from 96.3 %" in said
    assert "of the pixels are expected to be told; where the others are guessed, PSNR is" in said


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
    assert falls([head], 2 * 72) is None
