"""Which settings make a line: those that differ in one option alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.charts.chart import LINES
from reports.panels.labels import name_option, option_place, show_option
from reports.panels.panel import Setting


@dataclass(frozen=True)
class Line:
    """Settings that differ in one option, in its order."""

    label: str
    settings: tuple[Setting, ...]


def lines_along(settings: Sequence[Setting], along: str) -> tuple[list[Line], int]:
    """Lines of settings over one option, at most `LINES`, and how many are left out.

    Empty when the option takes fewer than two values in every line.
    """
    groups: dict[str, list[Setting]] = {}
    for setting in settings:
        if setting.option(along) is None or "adaptive" not in setting.columns:
            continue
        others = {k: v for k, v in setting.guarantee.options.items() if k != along}
        groups.setdefault(json.dumps([setting.defense, others], sort_keys=True), []).append(setting)
    if max((len(g) for g in groups.values()), default=0) < 2:
        return [], 0
    names = {n for g in groups.values() for n in g[0].guarantee.options if n != along}
    varied = [n for n in sorted(names, key=option_place) if _varies(groups, n)]
    several = len({g[0].defense for g in groups.values()}) > 1
    lines = []
    for group in groups.values():
        options = group[0].guarantee.options
        own = [f"{name_option(n)} {show_option(options[n])}" for n in varied if n in options]
        label = " ".join([group[0].defense] * (several or not own) + own)
        ordered = sorted(group, key=lambda s: s.option(along) or 0.0)
        lines.append(Line(label, tuple(ordered)))
    if len(lines) <= LINES:
        return lines, 0
    kept = np.unique(np.linspace(0, len(lines) - 1, LINES).round().astype(int))
    return [lines[i] for i in kept], len(lines) - len(kept)


def _varies(groups: dict[str, list[Setting]], name: str) -> bool:
    """Whether two lines of one defense differ in an option."""
    seen: dict[str, set[str]] = {}
    for group in groups.values():
        value = json.dumps(group[0].guarantee.options.get(name))
        seen.setdefault(group[0].defense, set()).add(value)
    return any(len(v) > 1 for v in seen.values())
