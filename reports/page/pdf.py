"""The report on paper: A4, the same words, pictures, charts and main numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, SimpleDocTemplate, Spacer

from reports.charts.chart import Chart
from reports.estimates.intervals import FEWEST
from reports.page.pdf_parts import (
    WIDTH,
    chart_rows,
    gallery_rows,
    grid_rows,
    number_table,
    paragraph,
)
from reports.page.section import Outline, Section
from reports.sentences.lead import scores_legend
from reports.sentences.sentence import plain

MARGIN = 13 * mm
ROUGH, LITTLE = 120 * mm, 60 * mm
"""A study, or a part of one, starts on a new page when less than this is left of the old one."""


def write_pdf(outline: Outline, path: Path) -> None:
    """Lay the report out and write it; equal outlines give equal bytes."""
    document = SimpleDocTemplate(
        str(path),
        pagesize=(WIDTH + 2 * MARGIN, 297 * mm),
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=14 * mm,
        bottomMargin=16 * mm,
        title=outline.title[:200],
        author="leakgauge",
        invariant=1,
    )

    def footer(canvas: Canvas, _: SimpleDocTemplate) -> None:
        canvas.setFont("DejaVu", 7)
        canvas.setFillGray(0.4)
        canvas.drawString(MARGIN, 8 * mm, outline.title[:110])
        canvas.drawRightString(MARGIN + WIDTH, 8 * mm, f"{canvas.getPageNumber()}")

    document.build(list(_story(outline)), onFirstPage=footer, onLaterPages=footer)


def _story(outline: Outline) -> Iterator[Flowable]:
    yield paragraph(outline.title, "title")
    count = len(outline.gathered.sources)
    when = f", made {outline.dates}" if outline.dates else ""
    yield paragraph(f"{count} record{'s' * (count != 1)}{when}", "note")
    yield Spacer(1, 4 * mm)
    for sentence in outline.lead:
        yield paragraph(plain(sentence), "lead")
    if outline.steps:
        yield paragraph("What to do next", "sub")
        for sentence in outline.steps:
            yield paragraph(f"• {plain(sentence)}", "item")
    yield paragraph(
        f"{scores_legend()} Brackets: 95% intervals, none below {FEWEST} images. Adaptive: the "
        "attacker replays the defense; its numbers count, or the naive attacker's where they are "
        "higher. Naive: the attacker ignores it. A low "
        "PSNR proves nothing; a small epsilon (ε) does, and ∞ is no guarantee at all.",
        "note",
    )
    for turn, section in enumerate(outline.sections):
        if turn:
            yield CondPageBreak(ROUGH)
        yield from _section(section)
    yield from _lists(outline)


def _section(section: Section) -> Iterator[Flowable]:
    yield paragraph(section.title, "heading")
    for sentence in section.sentences:
        yield paragraph(f"• {plain(sentence)}", "item")
    if section.grid:
        yield CondPageBreak(LITTLE)
        yield paragraph("Reconstructions, adaptive attack where it was run", "sub")
        yield from grid_rows(section.grid)
        if section.grid.note:
            yield paragraph(section.grid.note, "note")
    if section.charts:
        yield CondPageBreak(LITTLE)
        yield paragraph("Charts", "sub")
        yield from chart_rows(_narrow_first(section.charts))
    for gallery in section.galleries:
        yield CondPageBreak(LITTLE)
        yield paragraph(gallery.title, "sub")
        yield paragraph(gallery.note, "note")
        yield from gallery_rows(gallery)
    if section.table:
        yield CondPageBreak(LITTLE)
        yield paragraph(section.table.caption, "sub")
        yield number_table(section.table)
    for note in section.notes:
        yield paragraph(note, "note")


def _narrow_first(charts: Sequence[Chart]) -> list[Chart]:
    """The charts, narrow ones first, so that these stand in pairs."""
    return sorted(charts, key=lambda c: c.wide)


def _lists(outline: Outline) -> Iterator[Flowable]:
    """What failed, what was skipped, and every Record with the command that makes it."""
    gathered = outline.gathered
    if gathered.failures:
        yield paragraph("What has no Record", "heading")
        for failure in gathered.failures:
            yield paragraph(f"{gathered.show_path(failure.path)}: {failure.error}", "text")
            if failure.command:
                yield paragraph(failure.command, "code")
    if gathered.skipped:
        yield paragraph("What was skipped", "heading")
        for path, reason in gathered.skipped:
            yield paragraph(f"{gathered.show_path(path)}: {reason}", "text")
    yield paragraph("Records", "heading")
    for source in gathered.sources:
        yield paragraph(f"{source.number}. {gathered.show_path(source.path)}", "text")
        yield paragraph(source.command or "The command was not recorded.", "code")
