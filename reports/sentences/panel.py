"""What the numbers of one panel say, in words for people who do not read tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from reports.estimates.counts import count_of
from reports.estimates.intervals import FEWEST
from reports.evidence.control import CANNOT_JUDGE
from reports.panels.panel import Panel
from reports.panels.pooled import GAIN, NAMES
from reports.panels.setting import FALSE, NAMED, NAMED_FEW, NOT_SHOWN, Setting
from reports.panels.trained import Trained
from reports.sentences.promises import accuracy_kept, false_promises, strongest_guarantee
from reports.sentences.sentence import MOST, Link, Sentence, list_links


def panel_sentences(panel: Panel, trained: Sequence[Trained]) -> list[Sentence]:
    """At most nine sentences on one panel, a false guarantee first; numbers lead to their rows."""
    made = [
        false_promises(panel),
        _attack(panel),
        _leaks(panel),
        _names(panel),
        _silence(panel),
        _doubts(panel),
        _misjudgements(panel),
        _outdone(panel),
        strongest_guarantee(panel),
        accuracy_kept(panel, trained),
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

    start = "Named" if any(s.few for s in found) else "Rebuilding not shown, but named"
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


def _settings(settings: Sequence[Setting], told: Callable[[Setting], str]) -> Iterator[str | Link]:
    """The first `MOST` settings as links to their rows, and how many more there are."""
    return list_links([Link(told(s), s.anchor) for s in settings], MOST)


def _level(setting: Setting) -> float:
    best = setting.stronger()
    return best.estimate("psnr").mean if best else math.nan


def _gain(setting: Setting) -> float:
    best = setting.stronger()
    return best.gain.mean if best else math.nan
