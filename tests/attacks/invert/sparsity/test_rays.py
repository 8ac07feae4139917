"""Examples are corners of the cones of their labels, and nothing else is taken for one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import victims
from attacks import invert
from attacks.invert.matching.clock import Clock
from attacks.invert.sparsity import rays
from attacks.invert.sparsity.cones import Cone, cones_of_labels
from attacks.invert.sparsity.one_layer import slopes_of_logits
from attacks.invert.sparsity.rays import _label_of, ray_directions
from defenses import stream
from reports.scores import assign, psnr
from tests.conftest import configured, seeded


def mixed(size: int, rows: int = 96, labels: int = 3):
    """Slopes of examples of some labels, the cones of these, mixed columns, what unmixes them."""
    draw = stream(0, "rays")
    weights = torch.randn(labels, rows, generator=draw, dtype=torch.float64)
    of = torch.arange(size) % labels
    on = torch.rand(size, rows, generator=draw) < 0.5
    sizes = 0.8 + 0.2 * torch.rand(size, 1, generator=draw, dtype=torch.float64)
    slopes = (on * sizes * weights[of]).T
    mixing = torch.randn(size, size, generator=draw, dtype=torch.float64)
    cones = [Cone(torch.arange(rows), one) for one in weights]
    return slopes, slopes @ mixing, torch.linalg.inv(mixing), cones, of.bincount().tolist()


def find(rows, cones, known, counts, **options):
    given = {"programs": 300, "zero": 1e-8, "generator": seeded(), "clock": Clock()}
    return ray_directions(rows, cones, known, counts, **{**given, **options})


def test_every_example_is_found_beside_those_that_are_known():
    _, rows, unmix, cones, counts = mixed(12)
    true = F.normalize(unmix.T, dim=1)
    found = find(rows, cones, true[:3], counts)
    assert torch.allclose(found[:3], true[:3], atol=1e-9)
    cosines = (found @ true.T).abs()
    assert len(found) == 12
    assert torch.allclose(cosines.amax(0), torch.ones(12, dtype=torch.float64))


def test_of_wrong_counts_and_too_few_programs_what_is_found_is_right():
    _, rows, unmix, cones, _ = mixed(12)
    true = F.normalize(unmix.T, dim=1)
    wrong = find(rows, cones, rows.new_zeros(0, 12), [12, 0, 0])
    few = find(rows, cones, rows.new_zeros(0, 12), [4, 4, 4], programs=6)
    assert 0 < len(few) <= 6 < len(wrong)
    for found in (wrong, few):
        assert torch.allclose((found @ true.T).abs().amax(1), torch.ones(len(found)).double())


def test_a_search_that_finds_nothing_ends(monkeypatch):
    monkeypatch.setattr(rays, "PATIENCE", 10)
    solved = []
    corner = rays._corner
    monkeypatch.setattr(rays, "_corner", lambda *given: solved.append(1) or corner(*given))
    rows = torch.randn(96, 12, generator=seeded(), dtype=torch.float64)
    found = find(rows, mixed(12)[3], rows.new_zeros(0, 12), [4, 4, 4])
    assert len(found) == 0
    assert 10 < len(solved) <= 10 + 3 * rays.TRIES


def test_where_nothing_is_sparse_nothing_is_found():
    rows = torch.randn(96, 12, generator=seeded(), dtype=torch.float64)
    cones = mixed(12)[3]
    assert find(rows, cones, rows.new_zeros(0, 12), [4, 4, 4], programs=40).shape == (0, 12)
    assert find(rows, [Cone(torch.arange(9), torch.ones(9).double())], rows[:0], [12]).shape[0] == 0


def test_a_direction_has_the_label_whose_signs_it_has_in_either_orientation():
    slopes, _, _, cones, _ = mixed(6)
    for example in range(6):
        own, other = cones[example % 3], cones[(example + 1) % 3]
        assert own.misses(slopes[:, example]) == pytest.approx(0, abs=1e-12)
        assert own.misses(-slopes[:, example]) == pytest.approx(0, abs=1e-12)
        assert other.misses(slopes[:, example]) > 0.2


def test_a_label_whose_signs_are_not_told_claims_no_direction():
    slopes, _, _, cones, _ = mixed(6)
    untold = Cone(torch.zeros(0).long(), torch.zeros(0).double())
    assert _label_of(slopes[:, 0], [untold, *cones]) == 1


@pytest.fixture(scope="module")
def mlp():
    return victims.load_model("mlp")


def test_slopes_of_private_images_lie_in_the_cone_of_their_label(observe, mlp):
    _, threat, images, labels = observe(mlp, configured("none"), batch=8)
    told = slopes_of_logits(mlp, "1.1.bias", threat)
    cones = cones_of_labels(mlp, F.cross_entropy, told, threat)
    grads = victims.per_example_gradients(mlp, F.cross_entropy, images, labels)["1.1.bias"]
    for slopes, label in zip(grads.double(), labels.tolist(), strict=True):
        cone = cones[label]
        assert len(cone.rows) > 200
        along = slopes[cone.rows] / cone.bound
        assert float(along.min()) >= 0
        assert 0.5 < float(along.max()) < 1.2  # few images stand for all


def test_a_batch_of_twenty_comes_out_that_the_search_of_zeros_alone_leaves(observe, mlp):
    release, threat, images, labels = observe(mlp, configured("none"), batch=20)

    def guess(programs):
        attack = invert.get("spear", rounds=1, programs=programs)
        return attack.reconstruct(mlp, F.cross_entropy, release, threat, generator=seeded())

    assert guess(0).stopped == "iterations"
    whole = guess(400)
    assert (whole.stopped, whole.note) == ("solved", "")
    assert whole.labels.tolist() == sorted(labels.tolist())
    assert float(psnr(whole.images[assign(whole.images, images)], images).min()) > 55
