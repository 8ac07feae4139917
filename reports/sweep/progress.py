"""What a sweep says while its Scenarios end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reports import records
from reports.commands.progress import span
from reports.estimates import Estimate
from reports.records.inversion import is_cut_short
from reports.scores import SCORES
from reports.sweep.task import Outcome, Task

DOCUMENT = {"mean", "low", "high", "n"}
"""Fields of `Estimate.document`."""


def follow(outcomes: Iterator[Outcome], tasks: Sequence[Task], out: Path) -> dict[str, str]:
    """Show progress and time left as Tasks end; returns key -> error of those that failed."""
    failures: dict[str, str] = {}
    named = {task.job.key: task.job for task in tasks}
    began = time.monotonic()
    # The bar is drawn on a terminal only; the lines are written into logs too.
    with tqdm(total=len(tasks), unit="Scenario", leave=False, disable=None) as bar:
        for count, outcome in enumerate(outcomes, start=1):
            if outcome.error is not None:
                failures[outcome.key] = outcome.error
            left = (time.monotonic() - began) / count * (len(tasks) - count)
            said = outcome.error or numbers_of(out / outcome.key)
            tqdm.write(
                f"[{count}/{len(tasks)}, {span(left)} left] {named[outcome.key].again}\n"
                f"    {outcome.key}: {said} ({span(outcome.seconds)})"
            )
            sys.stdout.flush()
            bar.update()
    return failures


def numbers_of(folder: Path) -> str:
    """The Record's first score in each column, with its interval, for the progress lines."""
    record = records.read(folder)
    if record is None:
        return "its Record cannot be read"
    parts = []
    for column, scores in record.summary.items():
        for name, found in _estimates(scores)[:1]:
            digits = SCORES[name].digits if name in SCORES else 3
            parts.append(" ".join(filter(None, (column, name, found.show(digits)))))
    cut = is_cut_short(record.rows)
    return ", ".join(parts[:4]) + (" (cut short by the clock)" if cut else "")


def _estimates(scores: Any) -> list[tuple[str, Estimate]]:
    """Name and mean of everything that a part of a summary gives one of; "" for its only one."""
    if not isinstance(scores, dict):
        return []
    inner = {"": scores} if "mean" in scores else scores
    means = {k: v for k, v in inner.items() if isinstance(v, dict) and v.keys() >= DOCUMENT}
    return [(k, found) for k, v in means.items() if (found := Estimate.read(v)).known]
