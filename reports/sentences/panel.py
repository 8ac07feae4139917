"""What the numbers of one panel say, in words for people who do not read tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from reports.estimates.counts import count_of
from reports.estimates.intervals import FEWEST
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import panel_refutations
from reports.panels.panel import FALSE, NAMED, NAMED_FEW, NOT_SHOWN, Panel, Setting
from reports.panels.pooled import GAIN, NAMES
from reports.panels.trained import Trained, match
from reports.sentences.sentence import Link, Sentence, list_links

MOST = 3
"""At most so many settings are named in one sentence."""


def panel_sentences(panel: Panel, trained: Sequence[Trained]) -> list[Sentence]:
    """At most nine sentences on one panel, a false guarantee first; numbers lead to their rows."""
    made = [
        _false_guarantees(panel),
        _attack(panel),
        _leaks(panel),
        _names(panel),
        _silence(panel),
        _doubts(panel),
        _misjudgements(panel),
        _outdone(panel),
        _guarantee(panel),
        _cost(panel, trained),
    ]
    return [sentence for sentence in made if sentence]


def _attack(panel: Panel) -> Sentence:
    """What one update gives away without a defense, or where it gives most."""
    scored = [s for s in panel.settings if s.judged and s.judged.estimate("psnr").known]
    if not scored:
        return ("The update was captured without its private images, so nothing can be scored.",)
    bare = next((s for s in scored if not s.defended), None)
    shown = bare or max(scored, key=_level)
    batch = panel.facts.get("batch", 1)
    made = "one image" if batch == 1 else f"{batch} images"
    when = "Without a defense" if bare else f"Under {shown.label}, where most leaks"
    guess = panel.guess("psnr")
    who = "an attacker who sees one update of"
    if panel.facts.get("threat"):
        who = "a server that cheats, and gets one update of its own version of"
    if summed := panel.facts.get("secure_aggregation"):
        who = f"a server that sees the sum alone of {summed!s:.9} participants' updates of"
    against = f"; the best guess without the update reaches {guess.mean:.1f} dB"
    return (
        f"{when}, {who} {panel.facts['model']!s:.60}, made from "
        f"{made}, rebuilds {'it' if batch == 1 else 'them'} at ",
        Link(f"{_level(shown):.1f} dB", shown.anchor),
        (against if guess.known else "") + " (PSNR: higher is closer).",
    )


def _false_guarantees(panel: Panel) -> Sentence:
    """Guarantees that a measurement contradicts."""
    found = panel_refutations(panel)
    if not found:
        return ()
    links = [Link(one.text, one.anchor) for one in found]
    start = "The guarantee is false, as stated and for this code: "
    return (start, *list_links(links, MOST, "; ", "; and {} more"), ".")


def _leaks(panel: Panel) -> Sentence:
    """Defended settings of which an attacker rebuilds more than guessing does."""
    defended = [s for s in panel.settings if s.defended]
    leaking = sorted((s for s in defended if s.shows(GAIN)), key=lambda s: -_gain(s))
    if not defended:
        return ()
    if not leaking and all(s.few for s in defended):
        return (
            f"Whether more is rebuilt than guessing gives, fewer than {FEWEST} images cannot say.",
        )
    if not leaking:
        return ("No defended setting is shown to let an attacker rebuild more than guessing does.",)
    if len(leaking) == 1:
        start = f"1 of {count_of(len(defended), 'defended setting')} still leaks: "
    else:
        start = f"{len(leaking)} of {len(defended)} defended settings still leak, most of all "
    return (
        start,
        *_settings(leaking, lambda s: f"{s.label} ({_gain(s):+.1f} dB over guessing)"),
        ".",
    )


def _names(panel: Panel) -> Sentence:
    """Settings of which no rebuilding is shown, and yet the update fits one image only."""
    found = [
        s
        for s in panel.settings
        if s.judged and s.verdict in (NAMED, NAMED_FEW, FALSE) and not s.shows(GAIN)
    ]
    if not found:
        return ()
    most = max(s.guarantee.candidates for s in found)

    def told(setting: Setting) -> str:
        best = setting.stronger(NAMES)
        assert best is not None
        return f"{setting.label} ({best.named.mean:.0%})"

    start = "Named" if any(s.few for s in found) else "Not rebuilt, but named"
    return (
        f"{start} at once among {most:,} candidates far more often than by chance "
        f"({1 / most:.1%}): ",
        *_settings(found, told),
        ".",
    )


def _silence(panel: Panel) -> Sentence:
    """Settings for which nothing beyond guessing is shown."""
    quiet = [s for s in panel.settings if s.verdict == NOT_SHOWN]
    if not quiet:
        return ()
    return (
        "Nothing beyond guessing is shown for ",
        *_settings(quiet, lambda s: s.label),
        "; a better attack may still find something.",
    )


def _doubts(panel: Panel) -> Sentence:
    """Settings for which that nothing was found is no evidence."""
    found = [s for s in panel.settings if s.verdict == CANNOT_JUDGE]
    reasons = dict.fromkeys(s.doubt for s in found)
    if not found:
        return ()
    return (
        "Nothing was found, and nothing can be said, for ",
        *_settings(found, lambda s: s.label),
        f": {', or '.join(reasons)}.",
    )


def _misjudgements(panel: Panel) -> Sentence:
    """Settings that leak, and would not seem to under a naive attack alone."""
    fooled = sorted((s for s in panel.settings if s.misleads), key=lambda s: -_gain(s))
    if not fooled:
        return ()

    def told(setting: Setting) -> str:
        naive = setting.estimate("naive", "psnr").mean
        return f"{setting.label} ({naive:.1f} dB instead of {_level(setting):.1f} dB)"

    return (
        "An attacker who ignores the defense would have made you call these harmless: ",
        *_settings(fooled, told),
        ".",
    )


def _outdone(panel: Panel) -> Sentence:
    """Settings where who ignores the defense gets closer than who knows it."""
    found = [s for s in panel.settings if s.outdone]
    if not found:
        return ()
    return (
        "The verdict is about the stronger attack; ",
        *_settings(found, lambda s: f"{s.label}: {s.outdone}"),
        ".",
    )


def _guarantee(panel: Panel) -> Sentence:
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


def _cost(panel: Panel, trained: Sequence[Trained]) -> Sentence:
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


def _settings(settings: Sequence[Setting], told: Callable[[Setting], str]) -> Iterator[str | Link]:
    """The first `MOST` settings as links to their rows, and how many more there are."""
    return list_links([Link(told(s), s.anchor) for s in settings], MOST)


def _level(setting: Setting) -> float:
    best = setting.stronger()
    return best.estimate("psnr").mean if best else math.nan


def _gain(setting: Setting) -> float:
    best = setting.stronger()
    return best.gain.mean if best else math.nan


def _epsilon(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
