"""Conversions between mu-GDP and (epsilon, delta)."""

from __future__ import annotations

import pytest

from defenses.privacy.accounting import gaussian_epsilon
from defenses.privacy.tradeoff import epsilon_of, mu_of

DELTA = 1e-5


def test_gaussian_dp_converts_as_the_tight_accountant_does():
    for noise in (0.7, 1.0, 3.0):
        tight = gaussian_epsilon(noise, steps=1, sample_rate=1.0, delta=DELTA, accountant="prv")
        assert epsilon_of(1 / noise, DELTA) == pytest.approx(tight, rel=0.02)
        assert mu_of(epsilon_of(1 / noise, DELTA), DELTA) == pytest.approx(1 / noise)
    assert epsilon_of(0.0, DELTA) == 0
