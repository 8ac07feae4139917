"""Whether paired differences lie above 0: exact tests under laws that are symmetric around 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.estimates.intervals import CELLS, Values

FLIPS = 2**13
"""Sign patterns: all there are up to 13 units, else so many drawn ones."""


def flipped_p(gains: Values) -> Values:
    """One-sided p of each setting alone, (K,): how many sign patterns have a sum as large.

    Args:
        gains: (K, N), a row per setting and a column per unit; NaN where a setting lacks one.
    """
    return _single(_sums(gains))


def corrected_p(gains: Values) -> Values:
    """The same, corrected for looking at all settings (Westfall and Young 1993, maxT step-down).

    A unit's sign is flipped in all settings at once, as they attack the same image, so many
    settings cost little where they tell the same. Sums are compared in units of their own
    standard deviation over the patterns: the p of a setting has few values where units are few,
    and the least of several p's would hide a setting that alone leaks among others that do not.
    Under laws that are symmetric around 0 the chance that any setting without a gain has a p
    below alpha is at most alpha.
    """
    sums = _sums(gains)
    size = np.sqrt(np.square(np.nan_to_num(np.asarray(gains, dtype=np.float64))).sum(1))
    scaled = sums / np.where(size > 0, size, 1.0)[:, None]
    order = np.argsort(-scaled[:, 0], kind="stable")
    found, highest = np.ones(len(sums)), 0.0
    largest = np.maximum.accumulate(scaled[order][::-1], axis=0)[::-1]
    for turn, place in enumerate(order):
        reached = largest[turn] >= scaled[place, 0] - 1e-9  # rounding
        highest = max(highest, float(reached.mean()))
        found[place] = min(1.0, highest)
    return found


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted after Holm 1979."""
    found, highest = [1.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        found[place] = highest
    return found


def _sums(gains: Values) -> Values:
    """(K, P) sums of every setting under every sign pattern, the observed one first."""
    known = np.nan_to_num(np.asarray(gains, dtype=np.float64))
    parts = [known @ signs for signs in _patterns(known.shape[1])]
    return np.concatenate(parts, axis=1)


def _patterns(units: int) -> list[Values]:
    """(N, p) patterns of signs, all +1 first."""
    if 2**units <= FLIPS:
        bits = np.arange(2**units)[None] >> np.arange(units)[:, None] & 1
        return [np.where(bits, -1.0, 1.0)]
    draw, step = np.random.default_rng(0), max(1, CELLS // units)
    parts: list[Values] = [np.ones((units, 1))]
    for start in range(1, FLIPS, step):
        parts.append(draw.choice((-1.0, 1.0), (units, min(step, FLIPS - start))))
    return parts


def _single(sums: Values) -> Values:
    """Share of patterns that reach as far as the first, the observed one."""
    found: Values = (sums >= (sums[:, 0] - _slack(sums))[:, None]).mean(1)
    return found


def _slack(sums: Values) -> Values:
    """What rounding may have added."""
    found: Values = 1e-10 * np.abs(sums).max(1, initial=0.0)
    return found
