"""Trains all models of a Scenario, here or in processes, and keeps what is finished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import Candidates, draw
from attacks.membership.shadows.layouts import choose, groups
from attacks.membership.shadows.train import (
    Piece,
    make_trainer,
    train_one,
    train_together,
    with_noise_set,
)
from reports.commands.origins import mark
from reports.commands.progress import Report, expect
from reports.commands.threads import one_thread
from reports.commands.workers import prepare_process, spread
from reports.records import Partial
from victims.gradients.memory import keep_memory, kept
from victims.training import Training
from victims.training.cost import seconds_of

__all__ = ["Piece", "train_all"]

Work = tuple[Scenario, Training, str, str]
"""The Scenario, the training of all models with its noise set, the device and the layout."""


def train_all(
    scenario: Scenario,
    candidates: Candidates,
    *,
    out: Path | None,
    device: str,
    data_root: str | None,
    jobs: int,
    report: Report,
) -> tuple[list[Piece], dict[str, Any]]:
    """Train every model of a Scenario.

    Each trains on one thread and in the same group (see `layouts.groups`), whatever ``jobs`` is,
    so that the logits do not depend on it. A group of which a piece is missing is trained anew.

    Returns:
        A piece for every model (see `train_one`), the target's first, and how they were trained:
        ``jobs`` and what `layouts.choose` says.
    """
    partial = Partial(out, candidates.drawn) if out else None
    prefix = f"{scenario.models_key()}{mark(scenario.document())}"
    total = scenario.shadows + 1
    with one_thread():
        shared = with_noise_set(scenario.training, scenario.members)
        how = partial.load(f"{prefix}-how") if partial else None
        if how is None:
            report("trying layouts", 0, total)
            how = choose(scenario, shared, candidates, device), {}
            if partial:
                partial.save(f"{prefix}-how", *how)
        layout = how[0]["layout"]
        finished = _load(partial, prefix, total) if partial else {}
        missing = [
            group
            for group in groups(scenario, layout, device)
            if any(model not in finished for model in group)
        ]
        jobs = max(1, min(jobs, len(missing)))
        work = (scenario, shared, device, layout)
        if missing:
            told = how[0]["seconds_per_step"].get(layout)
            expect(report, lambda: _seconds(work, candidates, missing, told) / jobs)
        trained = (
            _in_processes(work, missing, data_root, jobs)
            if jobs > 1
            else _here(work, missing, candidates)
        )
        for model, piece in trained:
            finished[model] = piece
            if partial:
                partial.save(f"{prefix}-{model:04d}", *piece)
            report("training models", len(finished), total)
    return [finished[m] for m in range(total)], {**how[0], "jobs": jobs}


def _seconds(
    work: Work, candidates: Candidates, missing: list[list[int]], told: float | None
) -> float:
    """Seconds that groups take one after another, ``told`` a model and step where that is known."""
    scenario, shared, device, _ = work
    target = make_trainer(scenario, shared, candidates, 0, device)
    models = sum(map(len, missing))
    if told is None:
        return models * seconds_of(target, target.plan.steps)
    return models * target.plan.steps * told


def _load(partial: Partial, prefix: str, total: int) -> dict[int, Piece]:
    """The finished models' pieces, by their numbers."""
    pieces = {model: partial.load(f"{prefix}-{model:04d}") for model in range(total)}
    return {model: Piece(*piece) for model, piece in pieces.items() if piece is not None}


def _here(
    work: Work, missing: list[list[int]], candidates: Candidates
) -> Iterator[tuple[int, Piece]]:
    """Train group after group in this process."""
    for group in missing:
        yield from zip(group, _train(*work, candidates, group), strict=True)


def _train(
    scenario: Scenario,
    shared: Training,
    device: str,
    layout: str,
    candidates: Candidates,
    group: list[int],
) -> list[Piece]:
    """Train the models of a group, together where there are several."""
    if len(group) > 1:
        return train_together(scenario, shared, candidates, group, device)
    return [train_one(scenario, shared, candidates, group[0], device, layout)]


def _in_processes(
    work: Work, missing: list[list[int]], data_root: str | None, jobs: int
) -> Iterator[tuple[int, Piece]]:
    """Train groups in processes, ``jobs`` at a time, and yield models as they end."""
    shared = (work, data_root, kept())
    doing = "training shadow models"
    trained = spread(_work, missing, jobs=jobs, begin=_begin, given=shared, doing=doing)
    for group, pieces in trained:
        yield from zip(group, pieces, strict=True)


_given: dict[str, Any] = {}
"""What every group of a process shares: read and drawn once per process, not once per group."""


def _begin(work: Work, data_root: str | None, keep: bool) -> None:
    prepare_process(1)
    torch.set_num_threads(1)
    if keep:  # as in the parent; it sets the pace and nothing else
        keep_memory()
    _given.update(work=work, candidates=draw(work[0], data_root))


def _work(group: list[int]) -> list[Piece]:
    work: Work = _given["work"]
    return _train(*work, _given["candidates"], group)
