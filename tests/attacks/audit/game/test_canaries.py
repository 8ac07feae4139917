"""Canaries: their length, their joining, their scores."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm

import defenses
from attacks.audit.game.canaries import Canaries
from defenses import stream

LIKE = {"weight": torch.zeros(30, 20), "bias": torch.zeros(30)}


@pytest.mark.parametrize("kind", ["dirac", "random"])
def test_canaries_have_their_length_and_join_at_the_sample_rate(kind):
    canaries = Canaries(LIKE, count=200, kind=kind, length=7.0, sample_rate=0.3, seed=1)
    inside = int(canaries.inserted.sum())
    grads = canaries.gradients(torch.arange(inside))
    lengths = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
    assert torch.allclose(lengths, torch.full((inside,), 7.0))
    joined = sum(len(canaries.joining(step)) for step in range(200))
    assert abs(joined / (200 * inside) - 0.3) < 5 * math.sqrt(0.21 / (200 * inside))
    if kind == "dirac":
        together = sum(g.sum(0).count_nonzero() for g in grads.values())
        assert together == inside  # no two share a coordinate


@pytest.mark.parametrize(
    ("defense", "options", "kind"),
    [("dpsgd", {}, "dirac"), ("dpsgd", {}, "random"), ("dprs", {"rate": 0.5}, "random")],
)
def test_scores_of_a_gaussian_mechanism_have_its_mu(defense, options, kind):
    """Full batches of nothing but canaries: the ROC area is Phi(mu / sqrt 2), mu sqrt(T)/sigma."""
    shield = defenses.get(defense, noise_multiplier=4.0, clip=0.5, **options)
    like = {"weight": torch.zeros(100, 50)}
    canaries = Canaries(like, count=1000, kind=kind, length=5.0, seed=3)
    everyone = torch.arange(int(canaries.inserted.sum()))
    for step in range(16):
        release = shield.release(
            canaries.gradients(everyone), batch_size=500, generator=stream(0, "n", step)
        )
        canaries.observe(release, shield)
    outside, inside = canaries.scores[~canaries.inserted], canaries.scores[canaries.inserted]
    area = float((inside[:, None] > outside).double().mean())
    # Other canaries are noise too: random directions overlap by 1 / sqrt(kept coordinates).
    # Half of them, on average, is known and subtracted.
    kept = 5_000 * (1 - options.get("rate", 0.0))
    crowd = math.sqrt(1 + (250 / kept if kind == "random" else 0))
    assert area == pytest.approx(norm.cdf(1.0 / crowd / math.sqrt(2)), abs=0.045)


def test_a_defense_that_drops_a_canary_altogether_leaves_it_invisible():
    class Blind(type(defenses.get("dpsgd"))):
        """Drops the first half of every parameter."""

        def contribute(self, grads, plan):
            total = super().contribute(grads, plan)
            for value in total.values():
                value[: len(value) // 2] = 0
            return total

    shield = Blind()
    canaries = Canaries({"w": torch.zeros(400)}, count=200, seed=0)
    inside = torch.arange(int(canaries.inserted.sum()))
    release = shield.release(
        canaries.gradients(inside), batch_size=100, generator=stream(0, "blind")
    )
    canaries.observe(release, shield)
    held = canaries.rows[:, 200:].any(1)
    assert torch.equal(canaries.visible, held) and 0 < int(held.sum()) < 200
