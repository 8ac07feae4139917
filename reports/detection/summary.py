"""All metrics of one attack's scores."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from reports.detection.accuracy import balanced_accuracy
from reports.detection.area import auc
from reports.detection.caught import tpr_at
from reports.detection.sample import Sample, Unresolved, sample

RATES = (0.1, 0.01, 0.001, 0.0001)
"""False-positive rates at which the true-positive rate is reported."""


def summarise(scores: ArrayLike, members: ArrayLike) -> dict[str, Any]:
    """All metrics, as plain numbers for a Record's JSON.

    Returns:
        ``auc``, ``balanced_accuracy``: as the functions of those names; ``tpr_at``: the FPR as
        text -> `tpr_at`, or ``mean``, ``low``, ``high`` None and the ``reason`` where the sample
        cannot resolve it; ``members``, ``non_members``: how many.

    Raises:
        BadScores: see `sample`.
    """
    parted = sample(scores, members)
    return {
        "auc": auc(parted),
        "balanced_accuracy": balanced_accuracy(parted),
        "tpr_at": {f"{rate:g}": _tpr_or_reason(parted, rate) for rate in RATES},
        "members": len(parted.inside),
        "non_members": len(parted.outside),
    }


def _tpr_or_reason(parted: Sample, rate: float) -> dict[str, Any]:
    try:
        return tpr_at(parted, rate)
    except Unresolved as error:
        nothing = {"mean": None, "low": None, "high": None, "n": len(parted.inside)}
        return nothing | {"reason": str(error)}
