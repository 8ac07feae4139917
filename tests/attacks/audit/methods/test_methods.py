"""Auditors on scores whose true epsilon is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from attacks import audit
from attacks.audit.counts import Counts
from attacks.audit.guesses import Guesses
from attacks.audit.methods import gdp, one_run
from defenses import BadInput, stream
from defenses.privacy.tradeoff import epsilon_of

METHODS = audit.names()
DELTA = 1e-5
# Medians that other auditors with correct false-alarm rates reach on the same task.
REACHED = {
    "one-run": (1.26, 2.72, 3.62),
    "one-run-fdp": (1.76, 4.31, 6.34),
    "gdp": (3.20, 8.27, 14.48),
}


def gaussian(canaries: int, mu: float, seed: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of a mechanism that is exactly mu-GDP, and fair coins."""
    draw = stream(0, "gaussian", canaries, mu, seed)
    coins = torch.rand(canaries, generator=draw) < 0.5
    return torch.randn(canaries, generator=draw, dtype=torch.float64) + mu * coins, coins


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("canaries", "mu"),
    [
        (60, 0.0),
        pytest.param(250, 0.0, marks=pytest.mark.slow),
        pytest.param(250, 1.0, marks=pytest.mark.slow),
        (60, 3.0),
    ],
)
def test_a_true_claim_is_refuted_no_more_often_than_stated(method, canaries, mu):
    trials, truth = 200, epsilon_of(mu, DELTA)
    above = sum(
        audit.lower_bound(*gaussian(canaries, mu, t), delta=DELTA, method=method) > truth + 1e-9
        for t in range(trials)
    )
    assert above <= binom.ppf(0.999, trials, 0.05)


@pytest.mark.parametrize("method", REACHED)
def test_bounds_are_as_high_as_the_best_known_at_a_thousand_canaries(method):
    for mu, known in zip((1.0, 2.0, 3.0), REACHED[method], strict=True):
        found = [
            audit.lower_bound(*gaussian(1000, mu, t), delta=DELTA, method=method) for t in range(25)
        ]
        assert known <= float(np.median(found)) <= epsilon_of(mu, DELTA)


@pytest.mark.parametrize("method", METHODS)
class TestEveryAuditor:
    def test_more_canaries_prove_more(self, method):
        few, many = (
            np.median(
                [
                    audit.lower_bound(*gaussian(n, 2.0, t), delta=DELTA, method=method)
                    for t in range(11)
                ]
            )
            for n in (100, 1600)
        )
        assert many > few

    def test_scores_of_the_wrong_sign_prove_nothing(self, method):
        scores, coins = gaussian(500, 3.0, 0)
        assert audit.lower_bound(-scores, coins, delta=DELTA, method=method) == 0

    def test_neither_the_scale_nor_the_order_of_canaries_matters_much(self, method):
        scores, coins = gaussian(500, 2.0, 1)
        once = audit.lower_bound(scores, coins, delta=DELTA, method=method)
        again = audit.lower_bound(scores.exp() * 9, coins, delta=DELTA, method=method)
        assert once == pytest.approx(again, abs=1e-9)

    def test_equal_scores_are_not_told_apart_by_where_they_stand(self, method):
        coins = torch.arange(1000) < 500  # those inserted come first
        scores = torch.zeros(1000)
        scores[::100] = 1.0
        assert audit.lower_bound(scores, coins, delta=DELTA, method=method) < 0.7

    def test_a_higher_confidence_proves_less(self, method):
        scores, coins = gaussian(400, 2.5, 2)
        bounds = [
            audit.lower_bound(scores, coins, delta=DELTA, method=method, confidence=c)
            for c in (0.8, 0.95, 0.999)
        ]
        assert bounds == sorted(bounds, reverse=True)
        assert bounds[0] > bounds[2]

    def test_too_few_canaries_are_refused_with_the_number_it_takes(self, method):
        with pytest.raises(BadInput, match="too few for confidence") as error:
            audit.lower_bound([1.0, 2.0, 3.0], [0, 1, 1], delta=DELTA, method=method)
        enough = int(str(error.value).split(" takes ")[1].split(",")[0])
        coins = torch.arange(enough) % 2 == 0
        assert audit.lower_bound(coins.double(), coins, delta=DELTA, method=method) > 0

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"scores": torch.tensor([math.nan] * 100)}, "100 of 100 scores are NaN"),
            ({"scores": torch.ones(100)}, "all 100 scores are equal"),
            ({"scores": torch.rand(99)}, "both must be"),
            ({"inserted": torch.ones(100)}, "all of the 100 canaries are inserted"),
            ({"inserted": torch.zeros(100)}, "none of the 100 canaries are inserted"),
            ({"inserted": torch.full((100,), 0.5)}, "inserted must be bools"),
            ({"delta": 0.0}, "delta is 0"),
            ({"delta": 1.0}, "delta is 1"),
            ({"confidence": 1.0}, "confidence is 1"),
        ],
    )
    def test_bad_input_takes_one_line(self, method, change, said):
        scores, coins = gaussian(100, 1.0, 0)
        given = {"scores": scores, "inserted": coins, "delta": DELTA, "method": method} | change
        with pytest.raises(BadInput, match=said) as error:
            audit.lower_bound(given.pop("scores"), given.pop("inserted"), **given)
        assert "\n" not in str(error.value)

    def test_it_says_what_it_assumes(self, method):
        assert audit.registry.find(method).assumes


def test_the_exact_p_value_is_the_worst_simulated_one():
    draw = np.random.default_rng(0)
    seen, mu = Counts(40, 9, 60, 15), 1.2
    errors = seen.false / seen.outside + seen.missed / seen.inside
    simulated = max(
        np.mean(
            draw.binomial(40, norm.sf(t + mu / 2), 200_000) / 40
            + draw.binomial(60, norm.cdf(t - mu / 2), 200_000) / 60
            <= errors + 1e-9
        )
        for t in np.linspace(-1, 1, 9)
    )
    assert gdp.p_value(seen, mu) == pytest.approx(simulated, abs=0.005)


def test_without_delta_the_one_run_p_value_is_a_binomial_tail():
    seen = Guesses(canaries=100, count=40, right=30)
    share = math.e / (1 + math.e)
    expected = sum(binom.pmf(k, 40, share) for k in range(30, 41))
    assert one_run.p_value(seen, 1.0, 0.0) == pytest.approx(expected)
    assert one_run.p_value(seen, 1.0, 1e-3) > expected


def test_randomised_response_is_bounded_by_its_epsilon():
    """Pure DP, where a bit is told truly with probability e^eps / (1 + e^eps)."""
    truth, above = 1.5, {name: 0 for name in ("threshold", "one-run")}
    for trial in range(100):
        draw = stream(1, "response", trial)
        coins = torch.rand(400, generator=draw) < 0.5
        honest = torch.rand(400, generator=draw) < 1 / (1 + math.exp(-truth))
        told = torch.where(honest, coins, ~coins).double()
        for name in above:
            above[name] += audit.lower_bound(told, coins, delta=1e-6, method=name) > truth
    assert max(above.values()) <= binom.ppf(0.999, 100, 0.05)
