"""The Record of an inversion study whose batches are all finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch

from attacks.invert.bounds import guarantee
from attacks.invert.load import Cast
from attacks.invert.pieces import Piece
from attacks.invert.replayed import with_replays
from attacks.invert.scenario import Scenario
from attacks.invert.schedules import keep_worst
from attacks.invert.score import column_summary
from reports.records import Record
from reports.records.column import Column
from reports.records.environment import environment
from reports.records.inversion import KIND, Guessed, Row
from reports.scores.prior import lpips_or_reason, prior_baseline


def record_of(
    scenario: Scenario, cast: Cast, found: Mapping[Column, list[Piece]], *, device: str
) -> Record:
    """The Record of a study whose batches are all finished.

    Args:
        scenario: what was studied.
        cast: what it names, loaded.
        found: the pieces of every column, batch by batch.
        device: on which it ran.
    """
    private = cast.private.images
    own = torch.cat([cast.auxiliary.images, cast.learning.images])
    rows = [row for column, pieces in found.items() for row in _rows(column, pieces)]
    arrays = {"truth": private}
    arrays |= {c.key: torch.cat([p[1]["guess"] for p in pieces]) for c, pieces in found.items()}
    baseline, arrays["prior"] = prior_baseline(private, own)
    baseline["auxiliary"] = {"images": len(own), "dropped": cast.dropped}
    summary = {
        column.key: column_summary([row for row in rows if Column.of_row(row) == column])
        for column in found
    }
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = cast.content
    facts["lpips"] = lpips_or_reason(private[:1], private[:1])[1] or "available"
    played = scenario.batch == 1 and scenario.local is None and cast.candidates > 1
    candidates = cast.candidates if played else None
    bounds = {
        name: guarantee(victim.defense, scenario.delta, candidates, bare=victim.statistics)
        for name, victim in cast.victims.items()
    }
    models = {name: victim.model for name, victim in cast.victims.items()}
    bounds = with_replays(bounds, scenario, models)
    record = Record(KIND, scenario.document(), rows, summary, baseline, bounds, facts, arrays)
    return keep_worst(record, cast.schedules)


def _rows(column: Column, pieces: list[Piece]) -> list[Row]:
    """Rows of a Record: those of the pieces, by image, with the column that they belong to."""
    found: list[Guessed] = [row for facts, _ in pieces for row in facts["rows"]]
    return [
        cast("Row", {"image": image, **column.fields(), **row}) for image, row in enumerate(found)
    ]
