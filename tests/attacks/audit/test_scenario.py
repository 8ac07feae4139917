"""The auditors that are chosen where none is named."""

from __future__ import annotations

import pytest

from attacks.audit.scenario import Scenario, usual_auditors
from victims.training import Training

SPEC = "tests.zoo.laplace:Laplace"


@pytest.mark.parametrize(
    ("fields", "methods"),
    [
        ({"defense": "dpsgd"}, ("gdp",)),
        (
            {"defense": "dpsgd", "defense_options": {"noise_multiplier": 0.0}},
            ("one-run", "threshold"),
        ),
        ({"defense": "dpsgd+topk"}, ("gdp",)),
        ({"defense": "gep", "epsilon": 3.0}, ("gdp",)),
        ({"defense": "none"}, ("one-run", "threshold")),
        ({"defense": SPEC}, ("one-run", "threshold")),
    ],
)
def test_the_default_auditors_are_valid_for_what_is_claimed(fields, methods):
    training = Training(**fields)
    assert usual_auditors(training, "dirac") == Scenario(training, claim=3.0).methods == methods
    assert usual_auditors(training, "mislabelled") == ("one-run",)
