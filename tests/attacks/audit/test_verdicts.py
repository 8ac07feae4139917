"""What is said of a claim."""

from __future__ import annotations

import math

import pytest

from attacks.audit import verdicts


@pytest.mark.parametrize(
    ("claimed", "audited", "reach", "bare", "said", "why"),
    [
        (8.0, 1.0, 33.0, None, verdicts.CONSISTENT, ""),
        (8.0, 9.0, 33.0, None, verdicts.REFUTED, ""),
        (
            40.0,
            1.0,
            33.0,
            None,
            verdicts.CANNOT_JUDGE,
            "even perfect scores would prove no more than",
        ),
        (33.0, 33.0, 33.0, None, verdicts.CANNOT_JUDGE, "epsilon 33"),
        (8.0, 1.0, 33.0, 2.0, verdicts.CANNOT_JUDGE, "without the defense"),
        (8.0, 9.0, 33.0, 2.0, verdicts.REFUTED, "without the defense"),
        (8.0, 1.0, 33.0, 12.0, verdicts.CONSISTENT, ""),
        (math.inf, 1.0, 0.0, None, verdicts.UNCLAIMED, ""),
    ],
)
def test_a_claim_that_could_not_be_refuted_is_not_called_consistent(
    claimed, audited, reach, bare, said, why
):
    told = verdicts.doubt(claimed, reach, bare)
    assert why in told and bool(why) == bool(told)
    assert verdicts.verdict(claimed, audited, doubted=told) == said
