"""Whether paired differences lie above 0: exact tests under laws that are symmetric around 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.intervals import CELLS, Values

FLIPS = 2**13
"""Sign patterns: all there are up to 13 units, else so many drawn ones."""


def flipped_p(gains: Values) -> Values:
    """One-sided p of each setting alone, (K,): how many sign patterns have a sum as large.

    Args:
        gains: (K, N), a row per setting and a column per unit; NaN where a setting lacks one.
    """
    return _single(_sums(gains))


def corrected_p(gains: Values) -> Values:
    """The same, corrected for looking at all settings (Westfall and Young 1993, minP step-down).

    A unit's sign is flipped in all settings at once, as they attack the same image, so many
    settings cost little where they tell the same. Under laws that are symmetric around 0 the
    chance that any setting without a gain has a p below alpha is at most alpha.
    """
    sums = _sums(gains)
    single = _single(sums)
    # p of every pattern within its setting: the share of patterns that reach at least as far.
    tails = np.empty_like(sums)
    for row, (own, slack) in enumerate(zip(sums, _slack(sums), strict=True)):
        ladder = np.sort(own)
        tails[row] = 1 - np.searchsorted(ladder, own - slack, side="left") / len(own)
    order = np.argsort(single, kind="stable")
    found, highest = np.ones(len(single)), 0.0
    smallest = np.minimum.accumulate(tails[order][::-1], axis=0)[::-1]
    for turn, place in enumerate(order):
        highest = max(highest, float((smallest[turn] <= single[place] + 1e-12).mean()))
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
