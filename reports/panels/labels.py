"""What settings and panels are called, so that no two of a page are called the same."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from defenses.foreign import is_own
from reports.estimates.counts import count_of
from reports.panels.panel import Panel
from reports.panels.variant import Variant, varying_options
from reports.records.inversion import Guarantee
from reports.records.options import NOISE, RATE

CUT = "*"
"""Marks a number of attacks that the clock cut short: a rerun need not give it."""
UNTRAINED = "untrained"
"""What a Scenario says in the place of a file of weights."""


def setting_labels(found: Sequence[tuple[str, Guarantee]]) -> list[str]:
    """Defense, rate and noise; other options where they tell two settings of a defense apart."""
    variants = [Variant(defense, guarantee.options) for defense, guarantee in found]
    differing = varying_options(variants)

    def label(turn: int, digits: int) -> str:
        variant, held = variants[turn], found[turn][1].round
        names = {n for d, n in differing if d == variant.defense} | {RATE, NOISE}
        return variant.show(names, digits, note=held.suffix if held else "")

    short = [label(turn, 4) for turn in range(len(found))]
    return [text if short.count(text) == 1 else label(turn, 17) for turn, text in enumerate(short)]


def panel_titles(panels: Sequence[Panel]) -> list[str]:
    """What was attacked; panels that would read the same also name the fields that differ."""
    told = []
    plain = [_title(p, _file(p.facts["state"])) for p in panels]
    for panel, title in zip(panels, plain, strict=True):
        twins = [p.facts for p, other in zip(panels, plain, strict=True) if other == title]
        names = sorted(
            {n for f in twins for n in f | panel.facts if f.get(n) != panel.facts.get(n)}
        )
        if "state" in names:  # the whole path, where the file's name does not say enough
            names = [n for n in names if n not in ("state", "state_sha256")]
            title = _title(panel, _short(panel.facts["state"]))
        extra = [f"{n.replace('_', ' ')} {_short(panel.facts.get(n))}" for n in names]
        told.append(", ".join([title, *extra]))
    return told


def _file(state: str) -> str:
    return _short(state.replace("\\", "/").rsplit("/", 1)[-1])


def _title(panel: Panel, state: str) -> str:
    facts = panel.facts
    how = told_state(facts["model"], state)
    how = f"trained ({state.removesuffix('.safetensors')})" if how == state != UNTRAINED else how
    seeds = len({o for s in panel.settings for c in s.scores.values() for o in c.seeds.tolist()})
    count = count_of(panel.images, "image")
    count += f" \N{MULTIPLICATION SIGN} {seeds} seeds" if seeds > 1 else ""
    if (threat := facts.get("threat")) is not None:
        count += f", {_short(threat)} server"
    if (summed := facts.get("secure_aggregation")) is not None:
        count += f", sums over {_short(summed)} participants"
    return f"{_short(facts['model'])}, {how}, {_short(facts['data'])}, {count}"


def told_state(model: str, state: str) -> str:
    """The weights in words: a file, or whether a model of one's own came with whatever it has.

    Args:
        model: of the Scenario, see `victims.load_model`.
        state: of the Scenario: ``untrained`` or a file.
    """
    return "weights as given" if state == UNTRAINED and is_own(model, "model") else state


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else "…" + text[-59:]


def fold(text: str, longest: int) -> str:
    """The text on one line of so many characters or on two; what is longer still is cut off."""
    lines = textwrap.wrap(text, longest)
    if len(lines) < 2:
        return text
    return f"{lines[0]}\n{shorten(' '.join(lines[1:]), longest)}"


def shorten(text: str, longest: int) -> str:
    """The text, its end cut off where it has more than so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
