"""What a report consists of, before anything is laid out."""

from __future__ import annotations

from dataclasses import dataclass

from reports.charts.chart import Chart
from reports.pictures.gallery import Gallery
from reports.pictures.grid import Grid
from reports.records.find import Gathered
from reports.sentences.sentence import Sentence
from reports.tables.table import Table


@dataclass(frozen=True)
class Section:
    """One part of the report: words, pictures, charts, people found out, a table; or fewer.

    Attributes:
        anchor: names the section within the page.
        title: the heading of the section.
        sentences: what its numbers say.
        grid: reconstructions, or None.
        charts: in their order.
        table: its numbers, or None.
        notes: small print at its end.
        galleries: the members that its Records expose most.
        exposed: the galleries as tables, for files that hold no pictures.
    """

    anchor: str
    title: str
    sentences: tuple[Sentence, ...] = ()
    grid: Grid | None = None
    charts: tuple[Chart, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    exposed: tuple[Table, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the section, its own first."""
        return (self.table, *self.exposed) if self.table else self.exposed


@dataclass(frozen=True)
class Outline:
    """The whole report.

    Attributes:
        title: of the report.
        dates: first and last day of its Records; may be empty.
        lead: sentences that open the summary.
        steps: what to do next.
        sections: in the order of the report.
        gathered: the Records, and what could not be used.
    """

    title: str
    dates: str
    lead: tuple[Sentence, ...]
    steps: tuple[Sentence, ...]
    sections: tuple[Section, ...]
    gathered: Gathered
