"""LiRA against the exact ratio, by how variances are estimated."""

from __future__ import annotations

import pytest
import torch

from attacks import membership
from attacks.membership import Evidence
from reports import detection
from tests.attacks.membership.simulated import area, halves
from tests.conftest import seeded


def gaussian_evidence(count, pairs, seed, spread=None):
    """Evidence whose phi are drawn from LiRA's own model, the truth, and the exact ratio."""
    draw = seeded(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    truth = torch.rand(count, generator=draw) < 0.5
    inside = torch.cat([truth[None], halves(pairs, count, draw)])
    outer = 2 * normal(count)
    inner = outer + 1 + normal(count).abs()
    sigma = torch.ones(count).double() if spread is None else (spread * normal(count)).exp()
    narrow = 0.4 * sigma  # members spread less, so that a mix-up of the sides shows
    noise = torch.where(inside, narrow, sigma) * normal(2 * pairs + 1, count)
    phi = torch.where(inside, inner, outer) + noise
    logits = torch.stack([phi, torch.zeros_like(phi)], -1)
    labels = torch.zeros(count, dtype=torch.int64)
    exact = ((phi[0] - outer) / sigma).square() - ((phi[0] - inner) / narrow).square()
    return Evidence(logits[0], labels, logits[1:], inside[1:]), truth, exact


@pytest.mark.parametrize("variance", ["auto", "shrunk", "pooled", "example"])
def test_lira_on_its_own_model_is_about_as_good_as_the_exact_ratio(variance):
    evidence, truth, exact = gaussian_evidence(2000, 64, seed=1)
    scores = membership.get("lira", variance=variance).scores(evidence)
    assert area(scores, truth) > area(exact, truth) - 0.01


def test_with_few_shadows_auto_is_better_than_a_variance_per_example():
    for seed in range(3):
        evidence, truth, _ = gaussian_evidence(1000, 4, seed=seed, spread=0.3)
        own, auto = (
            area(membership.get("lira", variance=v).scores(evidence), truth)
            for v in ("example", "auto")
        )
        assert auto > own + 0.01


@pytest.mark.parametrize("pairs", [2, 4, 8])
def test_student_s_t_finds_more_where_few_are_accused_wrongly(pairs):
    found: dict[str, list[float]] = {"auto": [], "shrunk": [], "pooled": []}
    for seed in range(4):
        evidence, truth, _ = gaussian_evidence(2000, pairs, seed=seed, spread=0.6)
        for variance, rates in found.items():
            scores = membership.get("lira", variance=variance).scores(evidence)
            rates.append(detection.tpr_at(detection.sample(scores, truth), 0.01).mean)
    auto, shrunk, pooled = (sum(rates) / len(rates) for rates in found.values())
    assert auto > shrunk + 0.01
    assert auto > pooled + 0.05


def test_with_many_shadows_auto_is_better_than_a_pooled_variance():
    evidence, truth, _ = gaussian_evidence(2000, 64, seed=5, spread=1.0)
    pooled, auto = (
        area(membership.get("lira", variance=v).scores(evidence), truth) for v in ("pooled", "auto")
    )
    assert auto > pooled + 0.005
