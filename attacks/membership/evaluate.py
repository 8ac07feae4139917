"""Evaluates an attack's scores: the metrics that a Record holds."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from defenses import BadInput
from reports import detection


def evaluate(scores: Tensor, members: Tensor) -> dict[str, Any]:
    """How well scores tell members from others; see `reports.detection.summarise`.

    Args:
        scores: (N,) finite, higher = more likely a member.
        members: (N,) bool or 0 and 1, the truth.

    Raises:
        BadInput: NaN, no members, no others, or sizes that do not match; one line.
    """
    try:
        return detection.summarise(scores, members)
    except detection.BadScores as error:
        raise BadInput(str(error)) from error
