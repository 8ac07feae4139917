"""What the settings of a panel promise, and what the promise costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.estimates.counts import count_of
from reports.evidence.refuted import panel_refutations
from reports.panels.panel import Panel
from reports.panels.setting import FALSE
from reports.panels.trained import Trained, match
from reports.sentences.sentence import MOST, Link, Sentence, list_links


def false_promises(panel: Panel) -> Sentence:
    """Guarantees that a measurement contradicts."""
    found = panel_refutations(panel)
    if not found:
        return ()
    links = [Link(one.text, one.anchor) for one in found]
    start = "The guarantee is false, as stated and for this code: "
    return (start, *list_links(links, MOST, "; ", "; and {} more"), ".")


def strongest_guarantee(panel: Panel) -> Sentence:
    """The strongest promise that is not refuted, and how many settings have none."""
    finite = [s for s in panel.settings if math.isfinite(s.guarantee.epsilon)]
    promised = sorted((s for s in finite if s.verdict != FALSE), key=lambda s: s.guarantee.epsilon)
    if finite and not promised:
        return ("No setting has a guarantee that the measurements leave standing.",)
    if not promised:
        return ("No setting comes with a guarantee: epsilon is infinite for all of them.",)
    best = promised[0]
    bare = len(panel.settings) - len(finite)
    held = best.guarantee
    chance = 1 / max(1, held.candidates)
    if held.top1 > 0.995:
        allowed = f", which lets an attacker name the right one of {held.candidates:,} every time"
    else:
        allowed = (
            f", which lets an attacker name the right one of {held.candidates:,} candidates "
            f"in at most {100 * held.top1:.3g}% of cases (by chance: {100 * chance:.3g}%)"
        )
    return (
        "The strongest guarantee for one update is epsilon ",
        Link(_epsilon(held.epsilon), best.anchor),
        f" at delta {best.guarantee.delta:g} ({best.label}){allowed}"
        + (f"; {count_of(bare, 'setting')} guarantee nothing" if bare > 1 else "")
        + ("; one setting guarantees nothing" if bare == 1 else "")
        + ". A whole training run spends more.",
    )


def accuracy_kept(panel: Panel, trained: Sequence[Trained]) -> Sentence:
    """Accuracy with a defense against the best there is without one."""
    pairs = match(panel, trained)
    bare = next((t for s, t in pairs if not s.defended), None)
    defended = [(s, t) for s, t in pairs if s.defended]
    if not defended:
        return ()
    best = max(defended, key=lambda pair: pair[1].accuracy.mean)
    parts: list[str | Link] = [
        f"Of the defended settings that were trained to the end, {best[0].label} keeps the highest "
        "accuracy, ",
        Link(f"{best[1].accuracy.mean:.1%}", best[1].anchor),
    ]
    if bare:
        parts += [
            ", against ",
            Link(f"{bare.accuracy.mean:.1%}", bare.anchor),
            " without a defense",
        ]
    return (*parts, ".")


def _epsilon(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
