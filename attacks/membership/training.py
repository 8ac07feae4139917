"""All models of a Trial, one after another or in processes; what is finished is kept."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from attacks.membership.candidates import Candidates, draw
from attacks.membership.shadows import faster_layout, settled, train_one
from attacks.membership.trial import Trial
from reports.executors.processes import kill, prepare_process
from reports.records import Partial

Report = Callable[[str, int, int], None]
Piece = tuple[dict[str, Any], dict[str, Tensor]]


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

    Each trains on one thread, whatever ``jobs`` is, so that the logits do not depend on it.

    Returns:
        The pieces, and how they were made: ``layout``, ``jobs`` and the seconds per step that
        chose the layout.
    """
    partial = Partial(out) if out else None
    prefix = trial.models_key()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            shared = settled(trial.training, trial.members)
            how = partial.load(f"{prefix}-how") if partial else None
            if how is None:
                report("trying layouts", 0, trial.shadows + 1)
                how = _choose(trial, shared, candidates, device), {}
                if partial:
                    partial.save(f"{prefix}-how", *how)
            layout = how[0]["layout"]
            found: dict[int, Piece] = {}
            for model in range(trial.shadows + 1):
                piece = partial.load(f"{prefix}-{model:04d}") if partial else None
                if piece is not None:
                    found[model] = piece
            missing = [m for m in range(trial.shadows + 1) if m not in found]
            jobs = max(1, min(jobs, len(missing)))
            work = (trial, shared, device, layout)
            made: Iterator[tuple[int, Piece]]
            if jobs == 1:
                made = (
                    (m, train_one(trial, shared, candidates, m, device, layout)) for m in missing
                )
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


def _choose(trial: Trial, shared: Any, candidates: Candidates, device: str) -> dict[str, Any]:
    if trial.layout != "auto":
        return {"layout": trial.layout, "seconds_per_step": {}}
    layout, spent = faster_layout(trial, shared, candidates, device)
    return {"layout": layout, "seconds_per_step": spent}


def _in_processes(
    work: tuple[Any, ...], missing: list[int], data_root: str | None, jobs: int
) -> Iterator[tuple[int, Piece]]:
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(*work, data_root),
    )
    try:
        waiting = {pool.submit(_work, model): model for model in missing}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise OSError(
            "a process that trained a shadow model died (out of memory?); "
            "finished models are kept, the same command resumes"
        ) from error
    finally:
        kill(pool)


_given: dict[str, Any] = {}
"""What every model of a process shares: read and drawn once per process, not once per model."""


def _begin(trial: Trial, shared: Any, device: str, layout: str, data_root: str | None) -> None:
    prepare_process(1)
    torch.set_num_threads(1)
    candidates = draw(trial, data_root)
    _given.update(trial=trial, shared=shared, candidates=candidates, device=device, layout=layout)


def _work(model: int) -> Piece:
    return train_one(
        _given["trial"],
        _given["shared"],
        _given["candidates"],
        model,
        _given["device"],
        _given["layout"],
    )
