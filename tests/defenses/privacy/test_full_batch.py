"""A composition of full-batch Gaussians is accounted exactly, as independent accountants do."""

from __future__ import annotations

import math

import pytest
from scipy.integrate import quad
from scipy.stats import norm

from defenses import BadInput
from defenses.privacy.accounting import gaussian_epsilon
from defenses.privacy.full_batch import (
    CONVERSIONS,
    epsilon_of_mu,
    mu_of_releases,
    noise_of_epsilon,
)

DELTA = 1e-5
EPSILONS = (0.1, 0.5, 1, 2, 4, 8)


def divergence(noise: float, releases: int, epsilon: float) -> float:
    """Delta by the integral that defines it, over the sum of the releases' privacy losses.

    Each loss of N(1, noise^2) against N(0, noise^2) is itself normal, of mean 1 / (2 noise^2) and
    twice that variance; of all together both add up (Balle and Wang 2018, Lemma 3 and 4).
    """
    mean = releases / (2 * noise**2)
    loss = norm(mean, math.sqrt(2 * mean))
    top = mean + 40 * math.sqrt(2 * mean)
    found, _ = quad(
        lambda z: -math.expm1(epsilon - z) * loss.pdf(z),
        epsilon,
        max(top, epsilon + 1),
        points=[max(epsilon, mean)],
        limit=500,
        epsabs=1e-13,
    )
    return float(found)


@pytest.mark.parametrize("releases", [1, 3, 11])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_exact_noise_spends_the_epsilon_by_the_integral_over_privacy_losses(epsilon, releases):
    noise = noise_of_epsilon(epsilon, delta=DELTA, releases=releases)
    assert divergence(noise, releases, epsilon) == pytest.approx(DELTA, rel=1e-5)


@pytest.mark.filterwarnings("ignore:divide by zero encountered in log")
@pytest.mark.parametrize("releases", [1, 11])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_opacus_numerical_accountant_agrees_and_its_renyi_one_is_above(epsilon, releases):
    from opacus.accountants import PRVAccountant, RDPAccountant

    noise = noise_of_epsilon(epsilon, delta=DELTA, releases=releases)
    told = {}
    for kind in (PRVAccountant, RDPAccountant):
        ledger = kind()
        ledger.history = [(noise, 1.0, releases)]
        told[kind] = ledger.get_epsilon(DELTA)
    assert told[PRVAccountant] == pytest.approx(epsilon, abs=0.02)  # it adds its error of 0.01
    assert told[RDPAccountant] > epsilon


@pytest.mark.parametrize("conversion", CONVERSIONS)
@pytest.mark.parametrize("epsilon", [1e-6, 1e-3, *EPSILONS, 100, 1e4])
def test_the_noise_keeps_within_the_budget_and_uses_it_up(epsilon, conversion):
    noise = noise_of_epsilon(epsilon, delta=DELTA, releases=5, conversion=conversion)
    spent = epsilon_of_mu(mu_of_releases([noise] * 5), DELTA, conversion)
    assert spent <= epsilon
    assert spent == pytest.approx(epsilon, rel=1e-4)


def test_the_papers_conversion_asks_for_more_noise():
    # Ratios measured once by independent code: dp_accounting's privacy loss distributions.
    for epsilon, ratio in {0.1: 1.56, 0.5: 1.38, 1: 1.31, 2: 1.25, 4: 1.20, 8: 1.15}.items():
        exact, loose = (
            noise_of_epsilon(epsilon, delta=DELTA, releases=1, conversion=c) for c in CONVERSIONS
        )
        assert loose / exact == pytest.approx(ratio, abs=0.006)


def test_releases_of_unequal_noise_compose_as_the_accountant_of_trainings_says():
    mu = mu_of_releases([2.0, 3.0, 3.0])
    assert epsilon_of_mu(mu, DELTA) == pytest.approx(
        gaussian_epsilon(2, steps=1, sample_rate=1, delta=DELTA, history=[(3.0, 1.0, 2)])
    )


def test_no_noise_guarantees_nothing():
    assert mu_of_releases([1.0, 0.0]) == math.inf
    for conversion in CONVERSIONS:
        assert epsilon_of_mu(math.inf, DELTA, conversion) == math.inf


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"epsilon": 0.0}, "epsilon is 0"),
        ({"epsilon": -1.0}, "epsilon is -1"),
        ({"epsilon": math.inf}, "epsilon is inf"),
        ({"epsilon": math.nan}, "epsilon is nan"),
        ({"delta": 0.0}, "delta is 0"),
        ({"delta": 1.0}, "delta is 1"),
        ({"releases": 0}, "releases is 0"),
        ({"conversion": "renyi"}, "unknown conversion 'renyi'; known: exact, zcdp"),
    ],
)
def test_what_cannot_be_is_refused(changed, told):
    given = {"epsilon": 1.0, "delta": DELTA, "releases": 1} | changed
    with pytest.raises(BadInput, match=told):
        noise_of_epsilon(given.pop("epsilon"), **given)
