"""Trains all models of a Scenario, here or in processes, and keeps what is finished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import Candidates, draw
from attacks.membership.shadows.layouts import choose, groups
from attacks.membership.shadows.train import Piece, train_one, train_together, with_noise_set
from reports.commands.origins import mark
from reports.commands.progress import Report
from reports.commands.workers import prepare_process, spread
from reports.records import Partial
from victims.gradients.memory import keep_memory, kept
from victims.training import Training

__all__ = ["Piece", "train_all"]


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
    """Facts and tensors of every model (see `shadows.train_one`), the target's first.

    Each trains on one thread and in the same group (see `layouts.groups`), whatever ``jobs`` is,
    so that the logits do not depend on it. A group of which a piece is missing is trained anew.

    Returns:
        The pieces, and how they were made: ``jobs`` and what `layouts.choose` says.
    """
    partial = Partial(out, candidates.content) if out else None
    prefix = f"{scenario.models_key()}{mark(scenario.document())}"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            shared = with_noise_set(scenario.training, scenario.members)
            how = partial.load(f"{prefix}-how") if partial else None
            if how is None:
                report("trying layouts", 0, scenario.shadows + 1)
                how = choose(scenario, shared, candidates, device), {}
                if partial:
                    partial.save(f"{prefix}-how", *how)
            layout = how[0]["layout"]
            found: dict[int, Piece] = {}
            for model in range(scenario.shadows + 1):
                piece = partial.load(f"{prefix}-{model:04d}") if partial else None
                if piece is not None:
                    found[model] = Piece(*piece)
            missing = [
                group
                for group in groups(scenario, layout, device)
                if any(model not in found for model in group)
            ]
            jobs = max(1, min(jobs, len(missing)))
            work = (scenario, shared, device, layout)
            made: Iterator[tuple[int, Piece]]
            if jobs == 1:
                made = _here(work, missing, candidates)
            else:
                made = _in_processes(work, missing, data_root, jobs)
            for model, piece in made:
                found[model] = piece
                if partial:
                    partial.save(f"{prefix}-{model:04d}", *piece)
                report("training models", len(found), scenario.shadows + 1)
    finally:
        torch.set_num_threads(before)
    return [found[m] for m in range(scenario.shadows + 1)], {**how[0], "jobs": jobs}


Work = tuple[Scenario, Training, str, str]
"""The Scenario, the training of all models with its noise set, the device and the layout."""


def _here(
    work: Work, missing: list[list[int]], candidates: Candidates
) -> Iterator[tuple[int, Piece]]:
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
    if len(group) > 1:
        return train_together(scenario, shared, candidates, group, device)
    return [train_one(scenario, shared, candidates, group[0], device, layout)]


def _in_processes(
    work: Work, missing: list[list[int]], data_root: str | None, jobs: int
) -> Iterator[tuple[int, Piece]]:
    shared = (work, data_root, kept())
    doing = "training shadow models"
    made = spread(_work, missing, jobs=jobs, begin=_begin, given=shared, doing=doing)
    for group, pieces in made:
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
