"""All metrics of one attack's scores."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike

from reports.detection.accuracy import balanced_accuracy
from reports.detection.area import auc
from reports.detection.caught import tpr_at
from reports.detection.sample import Sample, Unresolved, sample
from reports.estimates import Estimate

RATES = (0.1, 0.01, 0.001, 0.0001)
"""False-positive rates at which the true-positive rate is reported."""


def summarise(scores: ArrayLike, members: ArrayLike) -> dict[str, Any]:
    """All metrics, as plain numbers for a Record's JSON.

    Returns:
        ``auc``, ``balanced_accuracy``: documents of what the functions of those names return;
        ``tpr_at``: the FPR as text -> the document of `tpr_at`, or of nothing, and the ``reason``,
        where the sample cannot resolve it; ``members``, ``non_members``: how many.

    Raises:
        BadScores: see `sample`.
    """
    parted = sample(scores, members)
    return {
        "auc": auc(parted).document(),
        "balanced_accuracy": balanced_accuracy(parted).document(),
        "tpr_at": {f"{rate:g}": _tpr_or_reason(parted, rate) for rate in RATES},
        "members": len(parted.inside),
        "non_members": len(parted.outside),
    }


def _tpr_or_reason(parted: Sample, rate: float) -> dict[str, Any]:
    try:
        return tpr_at(parted, rate).document()
    except Unresolved as error:
        nothing = Estimate(math.nan, n=len(parted.inside))
        return nothing.document() | {"reason": str(error)}
