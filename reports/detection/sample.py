"""Scores parted by truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reports.estimates.intervals import Values


class BadScores(ValueError):
    """Scores or truth that cannot be evaluated; the message is one line."""


class Unresolved(BadScores):
    """A false-positive rate below one of the sample's non-members."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores by truth, each sorted: nothing below depends on the order of the examples.

    Attributes:
        inside: (m,) scores of members, ascending, m >= 1.
        outside: (n,) scores of non-members, ascending, n >= 1.
    """

    inside: Values
    outside: Values


def sample(scores: ArrayLike, members: ArrayLike) -> Sample:
    """Check scores and truth and part them.

    Args:
        scores: (N,) finite numbers, array or tensor, higher = more likely a member.
        members: (N,) bool or 0 and 1.

    Raises:
        BadScores: sizes, NaN, values other than 0 and 1, only members or no members.
    """
    own, truth = _array(scores), _array(members)
    if own.ndim != 1 or own.shape != truth.shape:
        raise BadScores(f"scores are {own.shape} and members {truth.shape}; both must be (N,)")
    wrong = (~np.isfinite(own)).nonzero()[0]
    if len(wrong):
        raise BadScores(f"score {wrong[0]} is {own[wrong[0]]}; every score must be finite")
    if not np.isin(truth, (0, 1)).all():
        raise BadScores("members must be bool, or 0 and 1")
    bits = truth == 1
    if bits.all() or not bits.any():
        raise BadScores(
            f"of {len(bits)} examples {int(bits.sum())} are members; both kinds are needed"
        )
    return Sample(np.sort(own[bits]), np.sort(own[~bits]))


def _array(values: ArrayLike) -> Values:
    """Array or tensor, on whatever device, as float64."""
    moved = values.detach().cpu().double() if hasattr(values, "detach") else values
    try:
        return np.asarray(moved, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadScores(f"not an array of numbers: {error}") from error
