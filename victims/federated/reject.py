"""Whether a server takes an upload: shapes, finite values, and a length that is not out of line."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from torch import Tensor

REASONS = ("crashed", "late", "shape", "unfinite", "norm", "sum")
"""Why an upload is not taken: the participant failed; its answer did not come in time; names, types
or shapes are not the model's; values are NaN or infinite; its norm is out of line; it was in a sum
with one of another that is malformed or not finite."""
ENOUGH = 3
"""Uploads taken before, below which nobody can say what norm is usual."""


def reason_to_reject(update: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> str | None:
    """Why an upload is rejected by itself, "shape" or "unfinite"; None where it is not.

    Args:
        update: parameter name -> tensor, from somebody who may send anything.
        like: the model's parameters.
    """
    if update.keys() != like.keys():
        return "shape"
    for name, value in update.items():
        if value.shape != like[name].shape or value.dtype != like[name].dtype:
            return "shape"
    return None if math.isfinite(norm(update)) else "unfinite"


def is_out_of_line(size: float, usual: Sequence[float], factor: float) -> bool:
    """Whether a norm is more than ``factor`` times the median of the usual ones.

    Not where these are fewer than `ENOUGH`, nor for an infinite factor: a server that clips asks
    nobody's length.
    """
    return len(usual) >= ENOUGH and size > factor * statistics.median(usual)


def norm(update: Mapping[str, Tensor]) -> float:
    """The L2 norm of an update, in double precision."""
    return math.sqrt(sum(float(v.double().square().sum()) for v in update.values()))
