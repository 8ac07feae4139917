"""Trainings that are refused before they begin."""

from __future__ import annotations

import pytest

from defenses import BadInput
from victims.training import Training
from victims.training.prepare import prepare


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"defense": "precode", "layers": "last"}, "in front of the last one"),
        ({"defense": "ats", "model": "scatter-linear"}, "changes images"),
    ],
)
def test_where_it_cannot_act_it_says_so(changed, message):
    training = Training(**{"data": "digits", "model": "lenet", "count": 64, **changed})
    with pytest.raises(BadInput, match=message):
        prepare(training)
