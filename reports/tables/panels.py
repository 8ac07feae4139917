"""A row for each setting of a panel: both attackers, and what theory allows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from reports.panels.labels import CUT
from reports.panels.panel import FALSE, LEAKS, NAMED, NOT_SHOWN, Panel, PooledScores, Setting
from reports.panels.variant import varying
from reports.records.options import MAIN, name_option, option_place, show_option
from reports.scores import SCORES
from reports.tables.table import Cell, Row, Table, figure, numbers, plain, value

TONES = {FALSE: "leaks", LEAKS: "leaks", NAMED: "leaks", NOT_SHOWN: "quiet"}


def panel_table(panel: Panel) -> Table:
    """A row per setting; options that only some defenses have are columns too."""
    names = sorted({n for s in panel.settings for n in s.guarantee.options}, key=option_place)
    differing = {n for _, n in varying([s.variant for s in panel.settings])}
    varied = [n for n in names if n in MAIN or n in differing]
    deltas = sorted({s.guarantee.delta for s in panel.settings})
    shown = f"δ = {deltas[0]:g}".replace(" ", "\N{NO-BREAK SPACE}")
    shown = shown.replace("-", "\N{NON-BREAKING HYPHEN}")  # 1e-05 in one piece
    at = f" at {shown}" if len(deltas) == 1 else ""
    heads = (
        "defense",
        *map(name_option, varied),
        "verdict",
        "adaptive PSNR (dB)",
        "SSIM",
        "LPIPS",
        "naive PSNR (dB)",
        "gain over guessing (dB)",
        "named at once",
        "labels found",
        f"ε{at}",
        "records",
    )
    first = 1 + len(varied)
    brief = (*range(first + 2), first + 4, first + 5, first + 8, first + 9)
    rows = tuple(
        row
        for setting in panel.settings
        for row in (_row(setting, varied), *(_row(r, varied, r.label) for r in setting.rounds))
    )
    caption = f"Every setting of: {panel.title}"
    if any(CUT in cell.text for row in rows for cell in row.cells[first + 1 :]):
        caption += f" ({CUT} cut short by the clock)"
    return Table(f"{panel.anchor}-table", caption, heads, rows, brief)


def _row(setting: Setting, varied: Sequence[str], step: str = "") -> Row:
    """A setting; with ``step`` one round of it, which counts for nothing by itself."""
    own = setting.sources
    adaptive = setting.scores.get("adaptive")
    options = []
    for name in varied:
        found = setting.guarantee.options.get(name)
        text = "-" if found is None else show_option(found)
        options.append(Cell(text, float(found) if isinstance(found, bool) else found))
    named = f"{adaptive.named.percent(0)} of {setting.guarantee.candidates}" if adaptive else "-"
    tone = {FALSE: "leaks", LEAKS: "leaks", NAMED: "leaks", NOT_SHOWN: "quiet"}.get(
        setting.verdict, ""
    )
    cells = (
        plain(f"{setting.defense}, {step}" if step else _named(setting)),
        *options,
        Cell("-") if step else Cell(setting.verdict, setting.verdict, (), tone),
        *(_score(setting, "adaptive", name) for name in SCORES),
        _score(setting, "naive", "psnr"),
        _marked(figure(setting.gain, own), adaptive),
        Cell(named, adaptive.named.mean, own) if adaptive and adaptive.named.known else Cell("-"),
        _labels(setting),
        value(setting.guarantee.epsilon, own),
        numbers(own),
    )
    return Row(setting.anchor, cells)


def _score(setting: Setting, attacker: str, name: str) -> Cell:
    """A score of one attacker's."""
    shown = figure(setting.estimate(attacker, name), setting.sources, SCORES[name].digits)
    return _marked(shown, setting.scores.get(attacker))


def _marked(cell: Cell, column: PooledScores | None) -> Cell:
    """The cell, with `CUT` where the clock ended one of the attacks behind it."""
    cut = column is not None and bool(column.values["clock"].any()) and cell.order is not None
    return dataclasses.replace(cell, text=cell.text + CUT) if cut else cell


def _named(setting: Setting) -> str:
    """The defense, and which round its numbers are of."""
    held = setting.guarantee.round
    return f"{setting.defense}, {held.suffix}" if held and held.suffix else setting.defense


def _labels(setting: Setting) -> Cell:
    column = setting.judged
    found = column.share("label") if column else None
    if found is None or not found.known:
        return Cell("-")
    text = f"{found.hits}/{found.n}"
    return Cell(text, found.mean, setting.sources)
