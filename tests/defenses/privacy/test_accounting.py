from __future__ import annotations

import math

import numpy as np
import pytest
from opacus.accountants import create_accountant
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import norm

from defenses import BadInput, gaussian_epsilon, noise_for_epsilon
from defenses.privacy.renyi import ORDERS, curve

ONE = {"steps": 1, "sample_rate": 1.0, "delta": 1e-5}


def exact(noise: float, delta: float) -> float:
    """The Gaussian mechanism's own epsilon (Balle and Wang 2018, Theorem 8)."""

    def spare(eps: float) -> float:
        first = norm.logcdf(0.5 / noise - eps * noise)
        second = eps + norm.logcdf(-0.5 / noise - eps * noise)
        return math.exp(first) - math.exp(second) - delta

    return brentq(spare, 1e-9, 1e6, xtol=1e-13)


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
@pytest.mark.parametrize("noise", [0.05, 0.5, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("steps", [1, 7])
def test_without_subsampling_epsilon_is_the_exact_one(noise, steps, accountant):
    found = gaussian_epsilon(noise, **{**ONE, "steps": steps}, accountant=accountant)
    assert found == pytest.approx(exact(noise / math.sqrt(steps), 1e-5), rel=1e-6)
    before = ((noise, 1.0, steps - 1),)
    assert gaussian_epsilon(noise, **ONE, history=before) == pytest.approx(found)


SETTINGS = [(1.0, 1000, 0.01), (0.6, 100, 0.1), (20.0, 50, 0.3), (4.0, 10, 0.9), (0.02, 5, 0.2)]


@pytest.mark.parametrize(("noise", "steps", "rate"), SETTINGS)
def test_epsilon_lies_between_prv_and_what_it_is_without_subsampling(noise, steps, rate):
    setting = {"steps": steps, "sample_rate": rate, "delta": 1e-5}
    rdp = gaussian_epsilon(noise, **setting)
    prv = gaussian_epsilon(noise, accountant="prv", **setting)
    assert 0 < prv <= rdp <= exact(noise / math.sqrt(steps), 1e-5) * (1 + 1e-9)
    assert rdp <= 1.3 * prv


@pytest.mark.parametrize(("noise", "steps", "rate"), SETTINGS[:3])
def test_renyi_divergences_are_the_integrals(noise, steps, rate):
    for order in (1.001, 1.5, 2.0, 7.0, 50.0):
        place = int(np.abs(ORDERS - order).argmin())
        step = noise / 5000
        z = np.arange(-12 * noise, ORDERS[place] + 12 * noise, step)
        ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * noise**2))
        moment = logsumexp(ORDERS[place] * ratio + norm.logpdf(z, scale=noise)) + math.log(step)
        above = float(curve(noise, rate)[place] * (ORDERS[place] - 1) - moment)
        assert -1e-11 <= above <= 1e-11 + 1e-6 * moment


def test_prv_is_what_opacus_finds_at_a_finer_grid():
    ledger = create_accountant("prv")
    ledger.history = [(0.8, 0.05, 100), (1.5, 0.1, 40)]
    fine = ledger.get_epsilon(1e-5, eps_error=0.002)
    setting = {"steps": 40, "sample_rate": 0.1, "delta": 1e-5, "accountant": "prv"}
    found = gaussian_epsilon(1.5, history=((0.8, 0.05, 100),), **setting)
    assert fine - 0.005 <= found <= fine * 1.006


@pytest.mark.parametrize(
    ("delta", "accountant"),
    [(1e-14, "rdp"), (1e-5, "rdp"), (0.1, "rdp"), (1e-14, "prv"), (0.1, "prv")],
)
def test_epsilon_falls_with_noise_grows_with_steps_and_is_never_negative(delta, accountant):
    known = {"delta": delta, "accountant": accountant, "sample_rate": 0.1}
    noises = [1e-9, 0.05, 0.4, 1.0, 6.0, 50.0, 1e4, math.inf]
    found = [gaussian_epsilon(n, steps=5, **known) for n in noises]
    assert found == sorted(found, reverse=True)
    longer = [gaussian_epsilon(2.0, steps=s, **known) for s in (0, 1, 3, 9, 40)]
    assert longer == sorted(longer)
    assert min(found + longer) == 0
    assert gaussian_epsilon(100.0, steps=1, **known | {"sample_rate": 1.0}) >= 0


def test_published_sigma_of_the_dprs_runs():
    # CIFAR-10, B 1000, 40 epochs, epsilon 3, delta 1e-5: sigma 1.543 by RDP.
    noise = noise_for_epsilon(3, steps=2000, sample_rate=0.02, delta=1e-5)
    assert noise == pytest.approx(1.543, rel=0.005)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 3.0, 8.0, 1000.0])
@pytest.mark.parametrize("delta", [1e-14, 1e-5])
def test_noise_for_epsilon_spends_what_it_was_given(epsilon, delta):
    noise = noise_for_epsilon(epsilon, **{**ONE, "delta": delta})
    assert 0.999 * epsilon <= exact(noise, delta) <= epsilon * (1 + 1e-9)


@pytest.mark.parametrize(("epsilon", "accountant"), [(0.2, "rdp"), (19.0, "rdp"), (19.0, "prv")])
def test_noise_for_subsampled_releases_spends_what_it_was_given(epsilon, accountant):
    setting = {"steps": 200, "sample_rate": 0.05, "delta": 1e-5, "accountant": accountant}
    noise = noise_for_epsilon(epsilon, **setting)
    assert 0.997 * epsilon <= gaussian_epsilon(noise, **setting) <= epsilon


def test_an_epsilon_that_cannot_be_had_takes_one_line():
    setting = {"steps": 10_000, "sample_rate": 0.5, "delta": 1e-14}
    with pytest.raises(BadInput, match=r"no noise multiplier up to 1e\+08 gives") as told:
        noise_for_epsilon(1e-7, **setting)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"delta": 0.0}, "delta is 0"),
        ({"sample_rate": 1.5}, "sample rate is 1.5"),
        ({"steps": -1}, "steps is -1"),
        ({"noise_multiplier": -1.0}, "noise multiplier is -1"),
        ({"noise_multiplier": math.nan}, "noise multiplier is nan"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(BadInput, match=message):
        gaussian_epsilon(**{"noise_multiplier": 1.0, **ONE, **changed})
    with pytest.raises(BadInput, match="epsilon is -1"):
        noise_for_epsilon(-1, **ONE)


def test_nothing_released_costs_nothing_and_no_noise_costs_everything():
    assert gaussian_epsilon(1.0, **{**ONE, "steps": 0}) == 0
    assert gaussian_epsilon(0.0, **ONE) == math.inf
