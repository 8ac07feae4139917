from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, kstest
from scipy.stats import laplace as law

from tests.conftest import seeded
from victims.federated.sparse_vector import SparseVector, first_above, laplace


def test_noise_is_laplacian():
    assert kstest(laplace(20_000, 3.0, seeded()).numpy(), law(scale=3.0).cdf).pvalue > 1e-4


def test_scales_are_those_of_the_paper():
    shield = SparseVector(epsilon=10.0 * 50, count=50, gamma=2.0, tau=0.1)
    # 18 gamma over the epsilon of an uploaded parameter.
    assert shield.value_scale == pytest.approx(18 * 2.0 / 10)
    assert shield.query_scale == pytest.approx(4 * 50 * 2 * 2.0 / (8 / 9 * 500))
    # What selecting and sending cost adds up to epsilon: 2c hits' thresholds and queries under
    # AboveThreshold, and c values of sensitivity 2 gamma.
    selecting = 50 * 4 * 2 * 2.0 / shield.query_scale
    sending = 50 * 2 * 2.0 / shield.value_scale
    assert selecting + sending == pytest.approx(500)


def test_hits_are_those_of_asking_one_by_one():
    draw = np.random.default_rng(0)
    for count in (1, 5, 60):
        queries, limits = draw.normal(size=500), draw.normal(1.5, 1, size=count)
        expected, place = [], 0
        for index, query in enumerate(queries):
            if place < count and query >= limits[place]:
                expected.append(index)
                place += 1
        assert first_above(queries, limits) == expected


def test_no_more_is_sent_than_was_said_and_nothing_beyond_gamma():
    shield = SparseVector(epsilon=1.0, count=10, gamma=0.5, tau=0.0)
    sent = shield.upload(torch.randn(1000, generator=seeded()), seeded(1))
    assert 0 < int(sent.count_nonzero()) <= 10
    assert float(sent.abs().max()) <= 0.5


def test_with_a_vast_epsilon_it_sends_the_true_values_above_tau():
    update = torch.randn(300, generator=seeded())
    shield = SparseVector(epsilon=1e12, count=300, gamma=1.0, tau=0.7)
    sent = shield.upload(update, seeded(1))
    assert torch.equal(sent != 0, update.abs() >= 0.7)
    assert torch.allclose(sent[sent != 0], update[sent != 0].clamp(-1, 1), atol=1e-5)


def test_training_that_diverged_sends_as_much_as_any_other():
    shield = SparseVector(epsilon=1.0, count=10, gamma=0.5, tau=0.1)
    broken, zeros = torch.full((200,), math.nan), torch.zeros(200)
    sent = shield.upload(broken, seeded(1))
    assert int(sent.count_nonzero()) == 10
    assert torch.equal(sent, shield.upload(zeros, seeded(1)))
    broken[:] = -math.inf
    assert torch.equal(shield.upload(broken, seeded(1)), shield.upload(zeros - 0.5, seeded(1)))


@pytest.mark.parametrize("weaker", [1.0, 12.0])
def test_the_likelihood_ratio_of_what_is_seen_stays_below_epsilon(weaker):
    """On the worst neighbours, where a coordinate goes from -gamma to gamma; with too little noise
    the same test finds it out."""
    shield = SparseVector(epsilon=weaker, count=1, gamma=1.0, tau=0.5)
    claimed = 1.0
    updates = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    seen = []
    for number, update in enumerate(updates):
        generator = seeded(number)
        made = [shield.upload(update, generator) for _ in range(2000)]
        seen.append(sum(bool(m[0] == 1.0) for m in made))
    more, less = (binomtest(k, 2000).proportion_ci(0.999) for k in seen)
    refuted = more.low > math.exp(claimed) * less.high
    assert refuted == (weaker > claimed)
