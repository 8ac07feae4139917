"""All models of a Trial, a group after another or in processes; what is finished is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from attacks.membership.scenario import Trial
from attacks.membership.shadows.candidates import Candidates, draw
from attacks.membership.shadows.layouts import choose, groups
from attacks.membership.shadows.train import Piece, settled, train_one, train_together
from reports.commands.origins import mark
from reports.commands.workers import prepare_process, spread
from reports.records import Partial
from victims.gradients.memory import keep_memory, kept
from victims.training import Training

__all__ = ["Piece", "train_all"]

Report = Callable[[str, int, int], None]


def train_all(
    trial: Trial,
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
    prefix = f"{trial.models_key()}{mark(trial.document())}"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            shared = settled(trial.training, trial.members)
            how = partial.load(f"{prefix}-how") if partial else None
            if how is None:
                report("trying layouts", 0, trial.shadows + 1)
                how = choose(trial, shared, candidates, device), {}
                if partial:
                    partial.save(f"{prefix}-how", *how)
            layout = how[0]["layout"]
            found: dict[int, Piece] = {}
            for model in range(trial.shadows + 1):
                piece = partial.load(f"{prefix}-{model:04d}") if partial else None
                if piece is not None:
                    found[model] = piece
            missing = [
                group
                for group in groups(trial, layout, device)
                if any(model not in found for model in group)
            ]
            jobs = max(1, min(jobs, len(missing)))
            work = (trial, shared, device, layout)
            made: Iterator[tuple[int, Piece]]
            if jobs == 1:
                made = _here(work, missing, candidates)
            else:
                made = _in_processes(work, missing, data_root, jobs)
            for model, piece in made:
                found[model] = piece
                if partial:
                    partial.save(f"{prefix}-{model:04d}", *piece)
                report("training models", len(found), trial.shadows + 1)
    finally:
        torch.set_num_threads(before)
    return [found[m] for m in range(trial.shadows + 1)], {**how[0], "jobs": jobs}


Work = tuple[Trial, Training, str, str]
"""The Trial, its settled training, the device and the layout."""


def _here(
    work: Work, missing: list[list[int]], candidates: Candidates
) -> Iterator[tuple[int, Piece]]:
    for group in missing:
        yield from zip(group, _train(*work, candidates, group), strict=True)


def _train(
    trial: Trial,
    shared: Training,
    device: str,
    layout: str,
    candidates: Candidates,
    group: list[int],
) -> list[Piece]:
    if len(group) > 1:
        return train_together(trial, shared, candidates, group, device)
    return [train_one(trial, shared, candidates, group[0], device, layout)]


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
