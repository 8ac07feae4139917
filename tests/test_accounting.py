from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from defenses import BadInput, gaussian_epsilon, noise_for_epsilon

ONE = {"steps": 1, "sample_rate": 1.0, "delta": 1e-5}


def exact(noise: float, delta: float) -> float:
    """The Gaussian mechanism's own epsilon (Balle and Wang 2018, Theorem 8)."""

    def spare(eps: float) -> float:
        first = norm.logcdf(0.5 / noise - eps * noise)
        second = eps + norm.logcdf(-0.5 / noise - eps * noise)
        return math.exp(first) - math.exp(second) - delta

    return brentq(spare, 1e-6, 1e5)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.0, 5.0, 20.0])
def test_epsilon_bounds_the_exact_one_closely(noise):
    truth = exact(noise, 1e-5)
    assert truth <= gaussian_epsilon(noise, **ONE) <= 1.35 * truth


def test_both_accountants_agree_on_subsampled_training():
    setting = {"steps": 1000, "sample_rate": 0.01, "delta": 1e-5}
    rdp = gaussian_epsilon(1.0, **setting)
    prv = gaussian_epsilon(1.0, accountant="prv", **setting)
    assert prv <= rdp <= 1.3 * prv


def test_published_sigma_of_the_dprs_runs():
    # CIFAR-10, B 1000, 40 epochs, epsilon 3, delta 1e-5: sigma 1.543 by RDP.
    noise = noise_for_epsilon(3, steps=2000, sample_rate=0.02, delta=1e-5)
    assert noise == pytest.approx(1.543, rel=0.005)


@pytest.mark.parametrize("epsilon", [0.1, 3.0, 8.0, 1000.0])
def test_noise_for_epsilon_spends_at_most_that(epsilon):
    noise = noise_for_epsilon(epsilon, **ONE)
    assert gaussian_epsilon(noise, **ONE) <= epsilon
    assert gaussian_epsilon(noise * 0.99, **ONE) > epsilon


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"delta": 0.0}, "delta is 0"),
        ({"sample_rate": 1.5}, "sample rate is 1.5"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(BadInput, match=message):
        gaussian_epsilon(1.0, **{**ONE, **changed})
    with pytest.raises(BadInput, match="epsilon is -1"):
        noise_for_epsilon(-1, **ONE)


def test_nothing_released_costs_nothing_and_no_noise_costs_everything():
    assert gaussian_epsilon(1.0, **{**ONE, "steps": 0}) == 0
    assert gaussian_epsilon(0.0, **ONE) == math.inf
