"""A row for each setting of a panel: both attackers, and what theory allows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from reports.panels.labels import CUT
from reports.panels.panel import Panel
from reports.panels.pooled import PooledScores
from reports.panels.setting import FALSE, LEAKS, NAMED, NAMED_FEW, NOT_SHOWN, OUTDONE, Setting
from reports.panels.variant import varying_options
from reports.records.options import MAIN, name_option, option_place, show_option
from reports.scores import SCORES
from reports.tables.table import Cell, Row, Table, figure, numbers, plain, value

TONES = {FALSE: "leaks", LEAKS: "leaks", NAMED: "leaks", NAMED_FEW: "leaks", NOT_SHOWN: "quiet"}
PSNR, SSIM, LPIPS = (SCORES[name].title for name in ("psnr", "ssim", "lpips"))
ADAPTIVE, NAIVE = f"adaptive {PSNR}", f"naive {PSNR}"
GAIN = f"gain over guessing ({SCORES['psnr'].unit})"
ALONE = "Intervals are of one number each; a verdict allows for all that is judged with it"
PAPER = (ADAPTIVE, NAIVE, GAIN, "records")
"""Heads of columns that go on paper, beside the defense, its options, the verdict and epsilon."""


def panel_table(panel: Panel) -> Table:
    """The table of a panel's settings, and of the rounds of scheduled defenses below theirs.

    Columns are the options that people ask for first, and those that tell settings apart.
    """
    names = sorted({n for s in panel.settings for n in s.guarantee.options}, key=option_place)
    differing = {name for _, name in varying_options([s.variant for s in panel.settings])}
    options = [n for n in names if n in MAIN or n in differing]
    epsilon = f"ε{_at_delta(panel)}"
    heads = (
        "defense",
        *map(name_option, options),
        "verdict",
        ADAPTIVE,
        SSIM,
        LPIPS,
        NAIVE,
        GAIN,
        "named at once",
        "labels found",
        epsilon,
        "records",
    )
    rows = tuple(
        row
        for setting in panel.settings
        for row in (_row(setting, options), *(_round_row(r, options) for r in setting.rounds))
    )
    caption = f"Every setting of: {panel.title}. {ALONE}"
    measured = heads.index("verdict") + 1
    if any(CUT in cell.text for row in rows for cell in row.cells[measured:]):
        caption += f" ({CUT} cut short by the clock)"
    brief = tuple(i for i, h in enumerate(heads) if i < measured or h in (*PAPER, epsilon))
    return Table(f"{panel.anchor}-table", caption, heads, rows, brief)


def _at_delta(panel: Panel) -> str:
    """`` at δ = 1e-05`` that does not break over lines; nothing where settings differ in it."""
    deltas = {s.guarantee.delta for s in panel.settings}
    if len(deltas) > 1:
        return ""
    shown = f"δ = {min(deltas):g}".replace(" ", "\N{NO-BREAK SPACE}")
    return " at " + shown.replace("-", "\N{NON-BREAKING HYPHEN}")


def _row(setting: Setting, options: Sequence[str]) -> Row:
    held = setting.guarantee.round
    name = f"{setting.defense}, {held.suffix}" if held and held.suffix else setting.defense
    remark = f"; {OUTDONE}" if setting.outdone else ""
    verdict = Cell(setting.verdict + remark, setting.verdict, tone=TONES.get(setting.verdict, ""))
    return Row(setting.anchor, _cells(plain(name), verdict, setting, options))


def _round_row(setting: Setting, options: Sequence[str]) -> Row:
    """One round of a setting, which counts for nothing by itself and so has no verdict."""
    name = plain(f"{setting.defense}, {setting.label}")
    return Row(setting.anchor, _cells(name, Cell("-"), setting, options))


def _cells(name: Cell, verdict: Cell, setting: Setting, options: Sequence[str]) -> tuple[Cell, ...]:
    sources, adaptive = setting.sources, setting.scores.get("adaptive")
    named = f"{setting.named.percent(0)} of {setting.guarantee.candidates}"
    return (
        name,
        *(_option(setting, option) for option in options),
        verdict,
        *(_score(setting, "adaptive", score) for score in SCORES),
        _score(setting, "naive", "psnr"),
        _mark_cut(figure(setting.gain, sources), adaptive),
        Cell(named, setting.named.mean, sources) if setting.named.known else Cell("-"),
        _labels(setting),
        value(setting.guarantee.epsilon, sources),
        numbers(sources),
    )


def _option(setting: Setting, name: str) -> Cell:
    found = setting.guarantee.options.get(name)
    if found is None:
        return Cell("-")
    return Cell(show_option(found), float(found) if isinstance(found, bool) else found)


def _score(setting: Setting, attacker: str, name: str) -> Cell:
    """Mean score of one attacker."""
    shown = figure(setting.estimate(attacker, name), setting.sources, SCORES[name].digits)
    return _mark_cut(shown, setting.scores.get(attacker))


def _mark_cut(cell: Cell, scores: PooledScores | None) -> Cell:
    """The cell, with `CUT` where the clock ended one of the attacks behind it."""
    cut = scores is not None and scores.clocked and cell.order is not None
    return dataclasses.replace(cell, text=cell.text + CUT) if cut else cell


def _labels(setting: Setting) -> Cell:
    """How many labels of the batches the judged attacker found."""
    judged = setting.judged
    found = judged.share("label") if judged else None
    if found is None or not found.known:
        return Cell("-")
    return Cell(f"{found.hits}/{found.n}", found.mean, setting.sources)
