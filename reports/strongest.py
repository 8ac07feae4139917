"""Of many membership attacks and audits of a defense, what counts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from reports.audits import Audit
from reports.detection import sample, tpr_at
from reports.memberships import Membership
from reports.pooling import NOTHING, Estimate
from reports.tables import Cell, figure, value

FALSE_RATE = 0.01


def strongest(found: Sequence[Membership | Audit]) -> tuple[Cell, Cell, Cell, str]:
    """The strongest membership attack, claimed and audited epsilon, and refuted claims in words.

    Of audits that differ in the seed the median counts, of methods and canaries the best.
    """
    asked = [o for o in found if isinstance(o, Membership)]
    tried = [o for o in found if isinstance(o, Audit)]
    rates = [(_caught(m, name), m.source) for m in asked for name in m.scores]
    known = [(rate, source) for rate, source in rates if rate.known]
    best = max(known, key=lambda pair: pair[0].mean, default=None)
    caught = Cell("-") if best is None else figure(best[0], (best[1],), 3)
    claims = [(a.claimed, a.source) for a in tried]
    claims += [(m.epsilon, m.source) for m in asked if m.epsilon is not None]
    claim = min(claims, key=lambda pair: pair[0], default=None)
    ways: dict[tuple[str, str], list[Audit]] = {}
    for one in tried:
        canary = str(one.source.record.scenario.get("canary", ""))
        ways.setdefault((one.method, canary), []).append(one)
    # The highest of many audits errs upwards; of equal ones, seeds apart, the median does not.
    middle = [median_low(a.audited for a in found) for found in ways.values()]
    return (
        caught,
        Cell("-") if claim is None else value(claim[0], (claim[1],)),
        value(max(middle), [a.source for a in tried]) if middle else Cell("-"),
        _refuted(tried),
    )


def _caught(one: Membership, attack: str) -> Estimate:
    """TPR at `FALSE_RATE` with its interval; nothing where the sample cannot tell."""
    if one.outside * FALSE_RATE < 1:
        return NOTHING
    found = tpr_at(sample(one.scores[attack], one.members), FALSE_RATE)
    return Estimate(found["mean"], found["low"], found["high"], len(one.members))


def _refuted(tried: Sequence[Audit]) -> str:
    broken = sum(a.broken for a in tried)
    if not broken:
        return ""
    return "audit refuted the claim" + (f" in {broken} of {len(tried)}" if len(tried) > 1 else "")
