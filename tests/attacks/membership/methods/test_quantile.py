"""The quantile attack's threshold is that of non-members."""

from __future__ import annotations

import dataclasses

import pytest

from attacks import membership
from tests.attacks.membership.simulated import simulate


@pytest.mark.parametrize("level", [0.7, 0.9])
def test_the_quantile_is_that_of_non_members(level):
    """So a score above 0 is a test at a false-positive rate of 1 - level."""
    evidence, truth = simulate(count=2000, pairs=8, gap=3.0)
    population = {f: None for f in vars(evidence) if f.startswith("population")}
    for lacking in ({}, {"population_shadow_logits": None}, population):
        known = dataclasses.replace(evidence, **lacking)
        scores = membership.get("quantile", level=level).scores(known)
        alarms = float((scores[~truth] > 0).double().mean())
        assert alarms == pytest.approx(1 - level, abs=0.045)
        assert float((scores[truth] > 0).double().mean()) > alarms + 0.3
