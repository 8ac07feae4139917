"""Which settings make a line: those that differ in one option alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.chart import LINES
from reports.panels.setting import Setting
from reports.panels.spread import evenly
from reports.panels.variant import varying_options


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
        if setting.option(along) is None or "adaptive" not in setting.scores:
            continue
        others = {k: v for k, v in setting.guarantee.options.items() if k != along}
        groups.setdefault(json.dumps([setting.defense, others], sort_keys=True), []).append(setting)
    if max((len(g) for g in groups.values()), default=0) < 2:
        return [], 0
    varied = {n for _, n in varying_options([g[0].variant for g in groups.values()])} - {along}
    several = len({g[0].defense for g in groups.values()}) > 1
    lines = []
    for group in groups.values():
        variant = group[0].variant
        own = variant.show_options(varied)
        label = own if own and not several else variant.show(varied)
        ordered = sorted(group, key=lambda s: s.option(along) or 0.0)
        lines.append(Line(label, tuple(ordered)))
    kept = evenly(lines, LINES)
    return kept, len(lines) - len(kept)
