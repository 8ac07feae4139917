"""Sentences with links, and those that open a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.changes import Change
from reports.memberships import Membership
from reports.settings import LEAKS, NAMED, NOT_SHOWN, Panel

FALSE_ALARMS = (0.001, 0.01, 0.1)


@dataclass(frozen=True)
class Link:
    """Words that lead to an anchor of the page."""

    text: str
    anchor: str


Sentence = tuple[str | Link, ...]


def plain(sentence: Sentence) -> str:
    """The sentence without its links."""
    return "".join(p if isinstance(p, str) else p.text for p in sentence)


def counted(number: int, thing: str) -> str:
    """``1 setting``, ``2 settings``."""
    return f"{number} {thing}{'s' * (number != 1)}"


def overall(panels: Sequence[Panel]) -> Sentence:
    """One sentence over all panels."""
    settings = [s for p in panels for s in p.settings if s.defense != "none"]
    leaking = [s for s in settings if s.verdict == LEAKS]
    named = [s for s in settings if s.verdict == NAMED]
    quiet = [s for s in settings if s.verdict == NOT_SHOWN]
    if not settings:
        return ("No defense was attacked: see what an attacker gets without one.",)
    studies = f" in {len(panels)} studies" if len(panels) > 1 else ""
    count = f"{counted(len(settings), 'defended setting')}{studies}"
    rest = len(settings) - len(leaking) - len(named) - len(quiet)
    first = (
        f"Of {count}, {len(leaking) or 'none'} let{'s' * (len(leaking) == 1)} an attacker rebuild "
        "private images measurably better than guessing"
    )
    first += f", {len(named)} more let them tell which image it was" if named else ""
    second = (
        f", and for {len(quiet)} the attacks here show nothing beyond guessing, which is no proof "
        "of privacy; only a small epsilon is one."
    )
    third = f" {rest} cannot be judged." if rest else ""
    return (first + (second if quiet else ".") + third,)


def found_out(found: Sequence[Membership]) -> Sentence:
    """Whom the strongest membership attack finds, at the lowest false-alarm rate that all show."""
    scored = [m for m in found if m.scores]
    rates = [r for r in FALSE_ALARMS if all(m.outside * r >= 1 for m in scored)]
    if not scored or not rates:
        return ()
    rate = rates[0]
    caught = [(m.caught(name, rate), name, m) for m in scored for name in m.scores]
    share, name, worst = max(caught, key=lambda c: c[0])
    where = f" in the worst of {len(scored)} trainings" if len(scored) > 1 else ""
    return (
        f"Asked who was in the training data, the strongest attack ({name[:40]}) finds ",
        Link(f"{share:.1%} of the members", worst.source.anchor),
        f"{where} while accusing {rate:.1%} of the others wrongly; guessing would find {rate:.1%}.",
    )


def changed(changes: Sequence[Change]) -> Sentence:
    """What a comparison shows for the adaptive attacker's PSNR, the change that counts first."""
    own = [c for c in changes if (c.column, c.score) == ("adaptive", "psnr")]
    if not own:
        return ("No setting is in both sets of Records, so no change can be shown.",)
    more = [c for c in own if c.verdict == "leaks more"]
    less = [c for c in own if c.verdict == "leaks less"]
    still = len(own) - len(more) - len(less)
    parts: list[str | Link] = [
        f"Of {counted(len(own), 'setting')} in both sets, {len(more) or 'none'} now leak more, "
        f"{len(less) or 'none'} leak less, and for {still or 'none'} no change is shown."
    ]
    for found, words in ((more, "worse"), (less, "better")):
        if found:
            top = max(found, key=lambda c: abs(c.difference))
            told = f"{top.setting}, by {abs(top.difference):.1f} dB"
            parts += [f" Most changed for the {words}: ", Link(told, "changes"), "."]
    return tuple(parts)
