from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import trapezoid
from scipy.stats import binom, norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from reports import detection
from reports.detection import BadScores, Unresolved, sample

TRIALS = 300
ENOUGH = int(binom.ppf(1e-3, TRIALS, 0.95))
"""Of 300 intervals that cover with 95%, 272 or fewer do in one run of a thousand."""
SLACK = 1e-12


def draw(members, others, shift, seed):
    """Normal scores of members, ``shift`` above those of the others."""
    chance = np.random.default_rng(seed)
    scores = np.concatenate([chance.normal(shift, 1, members), chance.normal(0, 1, others)])
    return sample(scores, np.repeat([1, 0], [members, others]))


@pytest.mark.parametrize(
    ("members", "others", "shift"),
    [
        (40, 40, 0.0),
        pytest.param(300, 200, 0.0, marks=pytest.mark.slow),
        (100, 400, 1.0),
        pytest.param(200, 200, 2.5, marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_what_is_true(members, others, shift):
    """Identical distributions too: AUC 0.5, TPR = FPR, at the nominal rate."""
    truth = {
        "auc": norm.cdf(shift / math.sqrt(2)),
        "balanced": norm.cdf(shift / 2),
        "tenth": norm.sf(norm.isf(0.1) - shift),
        "hundredth": norm.sf(norm.isf(0.01) - shift),
    }
    covered = dict.fromkeys(truth, 0)
    for seed in range(TRIALS):
        drawn = draw(members, others, shift, seed)
        found = {
            "auc": detection.auc(drawn),
            "balanced": detection.balanced_accuracy(drawn).estimate,
            "tenth": detection.tpr_at(drawn, 0.1),
        }
        if others >= 100:
            found["hundredth"] = detection.tpr_at(drawn, 0.01)
        for name, one in found.items():
            covered[name] += one.low - SLACK <= truth[name] <= one.high + SLACK
    for name in found:
        assert covered[name] > ENOUGH, (name, covered[name] / TRIALS)


def test_known_shifts_are_recovered():
    for shift in (0.0, 0.5, 2.0):
        drawn = draw(20_000, 20_000, shift, seed=1)
        assert detection.auc(drawn).mean == pytest.approx(norm.cdf(shift / math.sqrt(2)), abs=0.01)
        balanced = detection.balanced_accuracy(drawn).estimate
        assert balanced.mean == pytest.approx(norm.cdf(shift / 2), abs=0.01)
        for rate in (0.1, 0.01):
            true = norm.sf(norm.isf(rate) - shift)
            found = detection.tpr_at(drawn, rate).mean
            assert found == pytest.approx(true, rel=0.25)


ties = arrays(np.int64, st.integers(4, 60), elements=st.integers(-3, 3))


@settings(max_examples=60, deadline=None)
@given(scores=ties, seed=st.integers(0, 99))
def test_auc_is_scikit_learns_and_every_curve_agrees(scores, seed):
    members = np.random.default_rng(seed).permutation(len(scores)) % 2
    found = detection.summarise(scores, members)
    assert found["auc"]["mean"] == pytest.approx(roc_auc_score(members, scores))
    false, true, _ = detection.roc(scores, members)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert trapezoid(true, false) == pytest.approx(found["auc"]["mean"])
    for part in (found["auc"], found["balanced_accuracy"]):
        assert 0 <= part["low"] <= part["mean"] <= part["high"] <= 1
    best = found["balanced_accuracy"]
    said = balanced_accuracy_score(members, scores >= best["threshold"])
    assert best["best"] == pytest.approx(said)
    assert best["best"] == pytest.approx(((1 + true - false) / 2)[1:].max())
    # Equal scores are called alike: only points of the ROC are ever reported.
    if len(scores) >= 20:
        assert found["tpr_at"]["0.1"]["mean"] == pytest.approx(true[false <= 0.1].max())


@settings(max_examples=40, deadline=None)
@given(scores=ties, seed=st.integers(0, 99))
def test_metrics_know_only_the_order_of_scores_and_not_that_of_examples(scores, seed):
    chance = np.random.default_rng(seed)
    members = chance.permutation(len(scores)) % 2
    found = detection.summarise(scores, members)
    order = chance.permutation(len(scores))
    assert detection.summarise(scores[order], members[order]) == found
    other = detection.summarise(np.exp(scores / 2) - 7, members)
    other["balanced_accuracy"]["threshold"] = found["balanced_accuracy"]["threshold"]
    assert other == found
    assert detection.auc(sample(-scores, members)).mean == pytest.approx(1 - found["auc"]["mean"])


def test_auc_interval_is_near_the_bootstraps():
    chance = np.random.default_rng(0)
    drawn = draw(150, 250, 1.0, seed=5)
    again = [
        detection.auc(
            detection.Sample(
                np.sort(chance.choice(drawn.inside, 150)),
                np.sort(chance.choice(drawn.outside, 250)),
            )
        ).mean
        for _ in range(2000)
    ]
    found = detection.auc(drawn)
    low, high = np.quantile(again, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_samples_without_spread_keep_an_honest_interval():
    same = detection.summarise(np.zeros(200), np.arange(200) % 2)
    assert same["auc"]["mean"] == 0.5
    assert 0.48 < same["auc"]["low"] < 0.5 < same["auc"]["high"] < 0.52
    assert same["tpr_at"]["0.1"]["mean"] == 0.0
    perfect = detection.auc(sample(np.arange(40), np.arange(40) >= 20))
    assert perfect.mean == perfect.high == 1
    assert perfect.low == pytest.approx(0.025 ** (1 / 20))
    inverted = detection.auc(sample(np.arange(40), np.arange(40) < 20))
    assert inverted.mean == inverted.low == 0
    single = detection.summarise([0.5, 0.1, 0.7], [True, False, False])
    assert single["balanced_accuracy"]["mean"] is None
    assert single["auc"]["low"] < 0.1 < 0.9 < single["auc"]["high"]


def test_guessing_does_not_look_better_than_chance_by_its_best_threshold():
    found = [detection.balanced_accuracy(draw(60, 60, 0.0, s)) for s in range(100)]
    assert np.mean([f.best for f in found]) > 0.54
    assert np.mean([f.estimate.mean for f in found]) == pytest.approx(0.5, abs=0.015)


def test_a_rate_that_the_sample_cannot_resolve_is_refused():
    drawn = draw(50, 999, 1.0, seed=0)
    with pytest.raises(Unresolved, match=r"FPR 0.001 takes at least 1,000 .* 999"):
        detection.tpr_at(drawn, 0.001)
    enough = draw(50, 1000, 1.0, seed=0)
    assert detection.tpr_at(enough, 0.001).low == 0
    found = detection.summarise(np.r_[drawn.inside, drawn.outside], np.arange(1049) < 50)
    assert found["tpr_at"]["0.001"] == {
        "mean": None, "low": None, "high": None, "n": 50,
        "reason": "FPR 0.001 takes at least 1,000 non-members; there are 999",
    }  # fmt: skip
    for rate in (0.0, 1.0, math.nan):
        with pytest.raises(BadScores, match=r"must be in \(0, 1\)"):
            detection.tpr_at(drawn, rate)


def test_arrays_tensors_and_bits_are_taken_alike():
    scores, members = [0.3, 0.1, 0.4, 0.2], [True, False, True, False]
    first = detection.summarise(scores, members)
    assert detection.summarise(np.array(scores), np.uint8(members)) == first
    tensors = torch.tensor(scores, dtype=torch.float64), torch.tensor(members)
    assert detection.summarise(*tensors) == first
    short = torch.tensor(scores, dtype=torch.bfloat16), torch.tensor(members)
    assert detection.summarise(*short)["auc"] == first["auc"]
    with pytest.raises(BadScores, match="not an array of numbers"):
        detection.sample(["a", "b"], [True, False])
    with pytest.raises(BadScores, match="score 0 is inf"):
        detection.sample([math.inf, 0.0], [True, False])


def test_bounds_are_those_of_the_guarantees():
    false = np.linspace(0, 1, 101)
    assert np.allclose(detection.dp_bound(false, 0.0), detection.chance(false))
    assert np.allclose(detection.gdp_bound(false, 0.0), detection.chance(false))
    assert np.array_equal(detection.dp_bound(false, math.inf, 1e-5), np.ones(101))
    assert np.array_equal(detection.dp_bound(false, 1e6), np.ones(101))
    assert np.array_equal(detection.gdp_bound(false, math.inf), np.ones(101))
    # Randomised response of parameter e^eps / (1 + e^eps) attains the corner.
    epsilon = 1.5
    lie = 1 / (1 + math.exp(epsilon))
    assert detection.dp_bound(lie, epsilon) == pytest.approx(1 - lie)
    assert detection.dp_bound(0.0, 1.0, 1e-3) == pytest.approx(1e-3)
    curve = detection.dp_bound(false, 1.0, 1e-2)
    assert (np.diff(curve) >= 0).all()
    assert (curve >= false).all()
    assert curve.max() <= 1
    assert detection.gdp_bound(0.01, 2.0) == pytest.approx(norm.sf(norm.isf(0.01) - 2.0))
    assert detection.gdp_bound(np.array([0.0, 1.0]), 2.0).tolist() == [0.0, 1.0]
