"""What a report says, in its order, before anything is laid out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.charts.accuracy_by_leakage import accuracy_charts
from reports.charts.changes import change_charts
from reports.charts.epsilon_claimed import audit_charts
from reports.charts.identified import candidate_charts
from reports.charts.naive_gap import attacker_charts
from reports.charts.roc import roc_charts
from reports.charts.score_histograms import histogram_chart
from reports.charts.scores_by_batch import batch_charts
from reports.charts.scores_by_option import score_charts
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.judgement import Judgement
from reports.evidence.judgements import judgements
from reports.evidence.refuted import refutations
from reports.page.section import Outline, Section
from reports.panels import trained as trainings
from reports.panels.batches import batches_of
from reports.panels.build import build_panels
from reports.panels.changes import Change
from reports.panels.panel import Panel
from reports.panels.trained import Trained
from reports.pictures.gallery import build_galleries
from reports.pictures.grid import build_grid
from reports.records.kinds import Sorted
from reports.records.membership import MembershipRecord
from reports.sentences.lead import (
    changes_overview,
    false_guarantees,
    members_found,
    panels_overview,
    unjudged_audits,
    unjudged_settings,
)
from reports.sentences.next_steps import next_steps
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import Sentence
from reports.tables.audits import audit_table
from reports.tables.batches import batch_table
from reports.tables.changes import change_table
from reports.tables.exposed import exposed_table
from reports.tables.memberships import membership_table
from reports.tables.panels import panel_table
from reports.tables.scoreboard import scoreboard
from reports.tables.trainings import training_table
from reports.tables.verdicts import verdict_table

IN_FULL = 12
"""Of so many Records of memberships a page draws the scores and shows whom they expose: drawings of
each would be nearly all that a page of thousands costs. Of the others it has the numbers."""


def build_outline(
    found: Sorted,
    title: str,
    changes: Sequence[Change] | None = None,
    unmatched: Sequence[str] = (),
) -> Outline:
    """Everything the report says.

    Args:
        found: the Records by kind, and what could not be used.
        title: of the report.
        changes: from the first given folder to the second, or None when nothing is compared.
            Then the studies are those of the second, and the first has its tables only.
        unmatched: lines about settings that only one of the two holds.
    """
    trained = trainings.pool_runs(found.trainings)
    now = [i for i in found.inversions if changes is None or i.source.folder == 1]
    panels = build_panels(now)
    judged = judgements(panels, found.memberships, found.audits) if changes is None else []
    sections = [
        *([] if changes is None else [_changes(changes, unmatched)]),
        *_overview(panels, trained, found, judged if changes is None else None),
        *(_study(panel, trained) for panel in panels),
        *(_before(found) if changes is not None else []),
        *_rest(trained, found),
    ]
    days = sorted({s.date for s in found.gathered.sources if s.date})
    dates = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    lead = _lead(panels, found, changes)
    return Outline(title, dates, lead, tuple(next_steps(judged)), tuple(sections), found.gathered)


def _lead(
    panels: Sequence[Panel], found: Sorted, changes: Sequence[Change] | None
) -> tuple[Sentence, ...]:
    """The sentences that open the summary, what is refuted first."""
    refuted = refutations(panels, found.memberships, found.audits)
    said = [
        false_guarantees(refuted, len(found.audits)),
        unjudged_settings(panels),
        unjudged_audits(found.audits),
        () if changes is None else changes_overview(changes),
        panels_overview(panels) if panels else (),
        members_found(found.memberships),
    ]
    return tuple(sentence for sentence in said if sentence)


def _changes(changes: Sequence[Change], unmatched: Sequence[str]) -> Section:
    """What became other from the first folder to the second."""
    return Section(
        anchor="changes",
        title="What changed",
        charts=tuple(change_charts(changes)),
        table=change_table(changes) if changes else None,
        notes=tuple(unmatched),
    )


def _overview(
    panels: Sequence[Panel],
    trained: Sequence[Trained],
    found: Sorted,
    judged: Sequence[Judgement] | None,
) -> Iterator[Section]:
    """Tables of everything together; two of them only where no folders are compared."""
    if judged:
        yield Section("verdicts", "Verdicts", table=verdict_table(judged))
    board = scoreboard(panels, trained, found.memberships, found.audits)
    if board is not None and judged is not None:
        yield Section("scoreboard", "Scoreboard", table=board)
    if batches := batches_of(panels):
        drawn, listed = tuple(batch_charts(batches)), batch_table(batches)
        yield Section("batches", "What a batch hides", charts=drawn, table=listed)


def _before(found: Sorted) -> Iterator[Section]:
    """The panels of the first of two folders, as tables."""
    for panel in build_panels([i for i in found.inversions if i.source.folder == 0], "before-"):
        table, notes = panel_table(panel), tuple(panel.notes)
        yield Section(panel.anchor, f"Before: {panel.title}", table=table, notes=notes)


def _study(panel: Panel, trained: Sequence[Trained]) -> Section:
    charts = [
        *score_charts(panel),
        *candidate_charts(panel),
        *attacker_charts(panel),
        *accuracy_charts(panel, trained),
    ]
    return Section(
        anchor=panel.anchor,
        title=panel.title,
        sentences=tuple(panel_sentences(panel, trained)),
        grid=build_grid(panel),
        charts=tuple(charts),
        table=panel_table(panel),
        notes=tuple(panel.notes),
    )


def _rest(trained: Sequence[Trained], found: Sorted) -> list[Section]:
    """Training, membership and audits, as far as there are any."""
    sections = []
    if trained:
        sections.append(Section("trainings", "Training runs", table=training_table(trained)))
    if found.memberships:
        sections.append(_members(found.memberships))
    if found.audits:
        charts = tuple(audit_charts(found.audits))
        table = audit_table(found.audits)
        sections.append(Section("audits", "Audits of epsilon", charts=charts, table=table))
    return sections


def _members(found: Sequence[MembershipRecord]) -> Section:
    """What attacks find out about who was in the training set."""
    full = found[:IN_FULL]
    galleries = build_galleries(full)
    notes = [
        f"Record {m.source.number}: {CANNOT_JUDGE} whether members are safe: {m.doubt}."
        for m in found
        if m.doubt
    ]
    if len(found) > IN_FULL:
        notes.append(
            f"Scores and the most exposed are drawn of the first {IN_FULL} of {len(found)} "
            "Records; a report of fewer folders draws them of others."
        )
    return Section(
        anchor="memberships",
        title="Who was in the training set",
        charts=(*roc_charts(full), *(histogram_chart(m) for m in full if m.scores)),
        table=membership_table(found),
        notes=tuple(notes),
        galleries=galleries,
        exposed=tuple(exposed_table(g.anchor, g.source, g.members) for g in galleries),
    )
