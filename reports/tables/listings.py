"""Tables of training runs, membership attacks, audits and changes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.estimates import Estimate
from reports.evidence.control import CANNOT_JUDGE
from reports.panels.changes import Change
from reports.panels.panel import Panel
from reports.panels.trained import Trained
from reports.records.audit import AuditRecord
from reports.records.membership import MembershipRecord
from reports.scores import SCORES
from reports.tables.table import Cell, Row, Table, figure, numbers, percent, plain, value


def training_table(found: Sequence[Trained]) -> Table:
    """A row per training, seeds pooled."""
    heads = (
        "defense",
        "data",
        "model",
        "epochs",
        "accuracy (%)",
        "most frequent class (%)",
        "ε (PRV)",
        "ε (RDP)",
        "δ",
        "runs",
        "records",
    )
    rows = []
    for one in found:
        run = one.runs[0]
        own = [r.source for r in one.runs]
        guess = Estimate(run.guess)
        spent = [
            value(max(r.epsilons.get(a, math.nan) for r in one.runs), own) for a in ("prv", "rdp")
        ]
        if not all(r.holds for r in one.runs):
            spent = [doubted(cell) for cell in spent]
        cells = (
            plain(one.label),
            plain(str(run.facts["data"])),
            plain(str(run.facts["model"])),
            plain(str(run.facts.get("epochs", "-"))),
            percent(one.accuracy, own),
            percent(guess, own),
            *spent,
            Cell(f"{run.delta:g}", run.delta),
            Cell(str(len(own)), float(len(own))),
            numbers(own),
        )
        rows.append(Row(one.anchor, cells))
    caption = "Accuracy on test examples after whole training runs"
    return Table("trainings-table", caption, heads, tuple(rows), (0, 1, 2, 4, 6, 8, 10))


def membership_table(found: Sequence[MembershipRecord]) -> Table:
    """A row per Record and attack."""
    heads = (
        "attack",
        "defense",
        "data",
        "AUC",
        "TPR at FPR 0.1%",
        "TPR at FPR 1%",
        "TPR at FPR 10%",
        "ε",
        "δ",
        "target",
        "records",
    )
    rows = []
    for one in found:
        facts = one.source.record.scenario
        for turn, attack in enumerate(one.attacks, 1):
            own = (one.source,)
            cells = (
                plain(attack),
                plain(str(facts.get("defense", "-"))),
                plain(str(facts.get("data", "-"))),
                figure(one.auc(attack), own, 3),
                *(figure(one.tpr(attack, rate), own, 3) for rate in (0.001, 0.01, 0.1)),
                Cell("-") if one.epsilon is None else value(one.epsilon, own),
                Cell(f"{one.delta:g}", one.delta),
                _target(one),
                numbers(own),
            )
            rows.append(Row(f"{one.anchor}-attack-{turn}", cells))
    caption = "How well members of the training set are told from others"
    return Table("memberships-table", caption, heads, tuple(rows), tuple(range(len(heads))))


def _target(one: MembershipRecord) -> Cell:
    """Whether the target learned; where it did not, that nobody was found is no evidence."""
    return plain(f"{CANNOT_JUDGE}: {one.doubt}" if one.doubt else "learned")


def doubted(cell: Cell) -> Cell:
    """An epsilon of which an assumption is false: batches were shuffled, here or before."""
    return Cell(f"{cell.text} (no guarantee)", cell.order, cell.sources)


def audit_table(found: Sequence[AuditRecord]) -> Table:
    """A row per audited training and auditor."""
    heads = (
        "defense",
        "method",
        "ε claimed",
        "ε at least",
        "ε provable at most",
        "confidence",
        "verdict",
        "records",
    )
    rows = []
    for one in (row for record in found for row in record.rows):
        own = (one.source,)
        claim = value(one.claimed, own)
        verdict = one.verdict or ("more leaks than claimed" if one.broken else "claim not refuted")
        verdict = verdict if one.judged else f"{CANNOT_JUDGE}: {one.doubt}"
        cells = (
            plain(one.defense),
            plain(one.method or "-"),
            claim if one.holds or math.isinf(one.claimed) else doubted(claim),
            value(one.audited, own),
            value(one.reach, own),
            value(100 * one.confidence, own, ".4g"),
            Cell(verdict, verdict, (), "leaks" if one.broken else ""),
            numbers(own),
        )
        rows.append(Row(one.anchor, cells))
    caption = "Epsilon as claimed, and as an audit proves it to be at least"
    return Table("audits-table", caption, heads, tuple(rows), tuple(range(len(heads))))


def change_table(
    changes: Sequence[Change], before: Sequence[Panel], after: Sequence[Panel]
) -> Table:
    """A row per change; its numbers lead to the Records of the setting before and after."""
    old, new = (
        {(p.title, s.label): s.sources for p in panels for s in p.settings}
        for panels in (before, after)
    )
    heads = (
        "setting",
        "study",
        "attacker",
        "score",
        "before",
        "after",
        "difference",
        "pairs",
        "p",
        "verdict",
    )
    rows = []
    scores = list(SCORES)
    first = sorted(changes, key=lambda c: (c.column != "adaptive", scores.index(c.score)))
    for turn, one in enumerate(first, 1):
        names = one.setting.split(" -> ")  # old and new where the defense was renamed
        was, now = old.get((one.panel, names[0]), ()), new.get((one.panel, names[-1]), ())
        both = (*now, *was)
        score = SCORES[one.score]
        digits = score.digits + 1  # a difference of two scores is smaller than they are
        tone = {"leaks more": "leaks", "leaks less": "quiet"}.get(one.verdict, "")
        cells = (
            plain(one.setting),
            plain(one.panel),
            plain(one.column),
            plain(score.label),
            value(one.before, was, f".{digits}f"),
            value(one.after, now, f".{digits}f"),
            figure(Estimate(one.difference, one.low, one.high, one.pairs), both, digits),
            Cell(str(one.pairs), float(one.pairs)),
            value(one.p, both, ".2g"),
            Cell(one.verdict, one.verdict, (), tone),
        )
        rows.append(Row(f"change-{turn}", cells))
    caption = "Differences, after minus before, paired by image"
    return Table("changes-table", caption, heads, tuple(rows), (0, 2, 3, 4, 5, 6, 8, 9))
