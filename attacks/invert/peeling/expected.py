"""What a random mask is expected to leave of a linear system, or of an outer product."""

from __future__ import annotations

from collections.abc import Callable

from scipy.stats import binom

ROUNDS = 10_000
"""Of the fixed point; near its threshold it is reached slowly."""
STILL = 1e-12
HALVINGS = 60


def enough(unknowns: int, equations: int, rate: float) -> float:
    """Chance that as many equations are seen as there are unknowns.

    Each is seen by itself with chance 1 - rate: Binomial(equations, 1 - rate) >= unknowns. That
    so many equations tell the unknowns takes that no few of them say the same, as those of random
    slopes do not.
    """
    return float(binom.sf(unknowns - 1, equations, 1 - rate))


def share_told(rows: int, columns: int, rate: float) -> float:
    """Share of the columns of a rows x columns outer product that its seen entries tell.

    Rows and columns are told up to one length where a path of seen entries joins them. For many
    of both that is a giant component or nothing (Molloy and Reed 1995): a column belongs to it
    when any of its rows does, r = 1 - (1 - p c)^columns and c = 1 - (1 - p r)^rows for p = 1 -
    rate, which has a solution beside 0 where p^2 rows columns > 1.
    """
    share, seen = 1.0, 1 - rate
    for _ in range(ROUNDS):
        row = 1 - (1 - seen * share) ** columns
        fresh = 1 - (1 - seen * row) ** rows
        if abs(fresh - share) < STILL:
            break
        share = fresh
    return fresh


def rate_of(share: Callable[[float], float], least: float) -> float:
    """The drop rate up to which a share, which falls with it, is at least so much; 0 if never."""
    low, high = 0.0, 1.0
    if share(0.0) < least:
        return 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) >= least else (low, middle)
    return low
