"""What settings and panels are called, so that no two of a page are called the same."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from reports.panels.panel import Panel
from reports.records.inversion import Guarantee, Option

CUT = "*"
"""Marks a number of attacks that the clock cut short: a rerun need not give it."""
SHORT = {"noise_multiplier": "noise"}
LONGEST = 24
"""Characters of an option that is text."""
MAIN = ("rate", "noise_multiplier", "clip")
"""Options that people ask for first, in the order in which they are named."""


def setting_labels(found: Sequence[tuple[str, Guarantee]]) -> list[str]:
    """Defense, rate and noise; other options where they tell two settings of a defense apart."""
    short = [_label(found, turn, 4) for turn in range(len(found))]
    return [
        label if short.count(label) == 1 else _label(found, turn, 17)
        for turn, label in enumerate(short)
    ]


def _label(found: Sequence[tuple[str, Guarantee]], turn: int, digits: int) -> str:
    defense, guarantee = found[turn]
    own = [g.options for d, g in found if d == defense]
    parts = [defense]
    for name in sorted(guarantee.options, key=option_place):
        value = guarantee.options[name]
        varies = any(name not in o or o[name] != value for o in own)
        if varies or name in MAIN[:2]:
            parts.append(f"{name_option(name)} {show_option(value, digits)}")
    if guarantee.round is not None and guarantee.round.suffix:
        parts.append(guarantee.round.suffix)
    return f"{parts[0]} {', '.join(parts[1:])}".rstrip()


def option_place(name: str) -> tuple[int, str]:
    """Sorts options: those that people ask for first, then by name."""
    return (MAIN.index(name) if name in MAIN else len(MAIN), name)


def name_option(name: str) -> str:
    """``noise`` for ``noise_multiplier``; others with spaces."""
    return SHORT.get(name, name.replace("_", " "))


def show_option(value: Option, digits: int = 4) -> str:
    """``0.9``, ``on``, ``off``, or the text itself, cut where it is long."""
    if isinstance(value, str):
        return value if 0 < len(value) <= LONGEST else f"{value[: LONGEST - 1]}…" if value else "-"
    return ("on" if value else "off") if isinstance(value, bool) else f"{value:.{digits}g}"


def same_option(one: Option, other: Option) -> bool:
    """Whether two values are one, up to the rounding of numbers."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=1e-6)


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
    how = state if state == "untrained" else f"trained ({state.removesuffix('.safetensors')})"
    seeds = len({o for s in panel.settings for c in s.columns.values() for o in c.seeds.tolist()})
    count = f"{panel.images} image{'s' * (panel.images != 1)}"
    count += f" \N{MULTIPLICATION SIGN} {seeds} seeds" if seeds > 1 else ""
    return f"{_short(facts['model'])}, {how}, {_short(facts['data'])}, {count}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else "…" + text[-59:]
