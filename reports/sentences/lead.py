"""The sentences that open a report."""

from __future__ import annotations

from collections.abc import Sequence

from reports.estimates.counts import count_of
from reports.estimates.intervals import FEWEST, simultaneous_level
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import FALSE_ALARMS, Refutation
from reports.panels.changes import LESS, MORE, Change
from reports.panels.panel import Panel
from reports.panels.pooled import GAIN
from reports.panels.setting import FALSE, NAMED, NAMED_FEW, NOT_SHOWN
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord
from reports.scores import SCORES
from reports.sentences.sentence import Link, Sentence, list_links

MOST = 4
"""At most so many refutations or audits are told in one sentence."""


def scores_legend() -> str:
    """How to read the scores of a reconstruction."""
    *titles, last = (score.title for score in SCORES.values())
    lower = " and ".join(s.label for s in SCORES.values() if not s.higher_is_closer)
    return (
        f"{', '.join(titles)} and {last} say how close a rebuilt image is to the private one; "
        f"for {lower} lower is closer."
    )


def false_guarantees(found: Sequence[Refutation], audits: int) -> Sentence:
    """What contradicts a guarantee; it opens everything else.

    Args:
        found: see `refuted.refutations`.
        audits: how many trainings were audited.
    """
    if not found:
        return ()
    links = [Link(one.text, one.anchor) for one in found]
    sure = " Each audit is wrong about a true claim in one case of twenty." if audits > 1 else ""
    start = "A guarantee is false, as stated and for this code: "
    return (start, *list_links(links, MOST, "; ", "; and {} more"), f".{sure}")


def unjudged_audits(audits: Sequence[AuditRecord]) -> Sentence:
    """Audits that did not refute their claims, and could not have."""
    found = [audit.rows[0] for audit in audits if not any(a.judged for a in audit.rows)]
    if not found:
        return ()
    links = [
        Link(f"{a.doubt}, where {a.claimed:.4g} is claimed ({a.defense:.60})", a.anchor)
        for a in found
    ]
    start = f"Of {count_of(len(audits), 'audit')}, {len(found)} cannot be judged: "
    return (start, *list_links(links, MOST, "; ", "; and {} more"), ".")


def unjudged_settings(panels: Sequence[Panel]) -> Sentence:
    """Settings of which nothing was found, and nothing can be said, with every reason."""
    settings = [s for p in panels for s in p.settings if s.defended]
    found = [s for s in settings if s.verdict == CANNOT_JUDGE]
    if not found:
        return ()
    links = [Link(setting.label, setting.anchor) for setting in found]
    reasons = ", or ".join(dict.fromkeys(setting.doubt for setting in found))
    start = f"Of {count_of(len(settings), 'defended setting')}, {len(found)} cannot be judged: "
    return (start, *list_links(links, MOST), f": {reasons}.")


def panels_overview(panels: Sequence[Panel]) -> Sentence:
    """One sentence over all panels."""
    settings = [s for p in panels for s in p.settings if s.defended]
    leaking = [s for s in settings if s.shows(GAIN)]
    named = [s for s in settings if s.verdict in (NAMED, NAMED_FEW, FALSE) and not s.shows(GAIN)]
    quiet = [s for s in settings if s.verdict == NOT_SHOWN]
    if not settings:
        return ("No defense was attacked: see what an attacker gets without one.",)
    studies = f" in {len(panels)} studies" if len(panels) > 1 else ""
    sizes = sorted({p.images for p in panels})
    over = f"{sizes[0]} to {sizes[-1]} images" if len(sizes) > 1 else count_of(sizes[0], "image")
    count = f"{count_of(len(settings), 'defended setting')}{studies} (over {over} each)"
    rest = len(settings) - len(leaking) - len(named) - len(quiet)
    first = (
        f"Of {count}, {len(leaking) or 'none'} let{'s' * (len(leaking) == 1)} an attacker rebuild "
        "private images measurably better than guessing"
    )
    let = "more let" if leaking else f"let{'s' * (len(named) == 1)}"
    first += f", {len(named)} {let} them tell which image it was" if named else ""
    second = (
        f", and for {len(quiet)} the attacks here show nothing beyond guessing, which is no proof "
        "of privacy; only a small epsilon is one."
    )
    third = f" {rest} cannot be judged." if rest else ""
    if any(s.few for s in settings):
        third += f" Fewer than {FEWEST} images cannot say whether more is rebuilt than by guessing."
    return (first + (second if quiet else ".") + third,)


def members_found(found: Sequence[MembershipRecord]) -> Sentence:
    """Whom the strongest membership attack finds, at the lowest false-alarm rate that all can tell.

    Its interval is simultaneous over all attacks and trainings that it is the best of.
    """
    scored = [m for m in found if m.scores]
    shown = [r for r in FALSE_ALARMS if all(m.resolves(r) for m in scored)]
    if not scored or not shown:
        return ()
    tried = sum(len(m.scores) for m in scored)
    level = simultaneous_level(tried)
    told = [r for r in shown if all(m.tells(r, level) for m in scored)]
    rate = told[0] if told else shown[-1]
    caught = [(m.tpr(name, rate, level), name, m) for m in scored for name in m.scores]
    share, name, worst = max(caught, key=lambda c: (c[0].low, c[0].mean))
    where = f" in the worst of {len(scored)} trainings" if len(scored) > 1 else ""
    best = f"; the best of {tried} results, its interval allows for that" if tried > 1 else ""
    chance = "" if share.low > rate else ", so it is not told from chance"
    chance = chance if told else ", and the others are too few to tell it from chance"
    idle = sum(bool(m.doubt) for m in scored)
    doubted = "it cannot be judged" if len(scored) == 1 else f"{idle} of them cannot be judged"
    why = "the target did not learn, or the result does not say whether it did"
    if any(m.control is not None for m in scored if m.doubt):
        alone = "members are not told from chance without a defense either, or none was played"
        why = alone if len(scored) == 1 else f"{why}; or {alone}"
    doubted = f" What is not found is no evidence: {doubted} ({why})." if idle else ""
    return (
        f"Asked who was in the training data, the strongest attack ({name[:40]}) finds ",
        Link(f"{share.percent()} of the members", worst.source.anchor),
        f"{where} while accusing {rate:.1%} of the others wrongly; guessing would find "
        f"{rate:.1%}{chance}{best}.{doubted}",
    )


def changes_overview(changes: Sequence[Change]) -> Sentence:
    """What a comparison shows for the adaptive attacker's PSNR, the change that counts first."""
    own = [c for c in changes if (c.attacker, c.score) == ("adaptive", "psnr")]
    if not own:
        return ("No setting is in both sets of Records, so no change can be shown.",)
    more = [c for c in own if c.verdict == MORE]
    less = [c for c in own if c.verdict == LESS]
    unknown = [c for c in own if c.verdict == CANNOT_JUDGE]
    still = len(own) - len(more) - len(less) - len(unknown)
    parts: list[str | Link] = [
        f"Of {count_of(len(own), 'setting')} in both sets, {len(more) or 'none'} now leak more, "
        f"{len(less) or 'none'} leak less, and for {still or 'none'} no change is shown."
    ]
    for found, words in ((more, "worse"), (less, "better")):
        if found:
            top = max(found, key=lambda c: abs(c.difference.mean))
            told = f"{top.setting}, by {abs(top.difference.mean):.1f} dB"
            parts += [f" Most changed for the {words}: ", Link(told, "changes"), "."]
    if unknown:
        why = ", or ".join(dict.fromkeys(c.doubt for c in unknown))
        parts.append(f" {len(unknown)} would seem to leak less and cannot be judged: {why}.")
    return tuple(parts)
