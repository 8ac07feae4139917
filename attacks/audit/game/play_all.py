"""All trainings of an Exam, one after another or in processes; what is finished is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from attacks.audit.game.play import content, play
from attacks.audit.game.seen import Course, Report, Seen
from attacks.audit.scenario import Exam
from reports.commands.origins import mark
from reports.commands.workers import prepare_process, spread
from reports.records import Partial
from victims.training.plan import Plan
from victims.training.trainer import Trainer

Work = tuple[Exam, Plan, Callable[..., Trainer], str, str | None, Path | None, str]
SAVINGS = 20
"""A run is kept so many times on its way."""


def play_all(
    exam: Exam,
    made: Plan,
    *,
    out: Path | None,
    device: str,
    data_root: str | None,
    report: Report,
    jobs: int = 1,
    trainer: Callable[..., Trainer] = Trainer,
) -> list[Seen]:
    """What each run of an Exam gave, in order; on one thread each, whatever ``jobs`` is.

    Args:
        exam: what is played.
        made: see `game.planned`.
        out: folder in which finished runs, and where the others stand, are kept; None: nowhere.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        jobs: trainings at a time.
        trainer: see `game.play`; processes need it importable.
    """
    told = content(exam, data_root) if out else ""
    partial = Partial(out, told) if out else None
    found: dict[int, Seen] = {}
    for run in range(exam.runs):
        piece = partial.load(_name(exam, run)) if partial else None
        if piece is not None:
            arrays = piece[1]
            visible = arrays["visible"].bool() if "visible" in arrays else None
            coins = arrays["inserted"].bool()
            found[run] = Seen(coins, arrays["scores"], piece[0]["steps"], visible)
    missing = [run for run in range(exam.runs) if run not in found]
    work: Work = (exam, made, trainer, device, data_root, out, told)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            one = exam.runs == 1
            within = report if one else (lambda line, done, total: None)
            results = (
                ((run, _one(*work, run, report=within)) for run in missing)
                if min(jobs, len(missing)) <= 1
                else spread(
                    _work,
                    missing,
                    jobs=min(jobs, len(missing)),
                    begin=_begin,
                    given=(work,),
                    doing="training with canaries",
                )
            )
            for run, seen in results:
                found[run] = seen
                if partial:
                    arrays = {"inserted": seen.inserted.to(torch.uint8), "scores": seen.scores}
                    if seen.visible is not None:
                        arrays["visible"] = seen.visible.to(torch.uint8)
                    partial.save(_name(exam, run), {"steps": seen.steps}, arrays)
                if not one:
                    report("training with canaries", len(found), exam.runs)
    finally:
        torch.set_num_threads(before)
    return [found[run] for run in range(exam.runs)]


def _name(exam: Exam, run: int) -> str:
    return f"{exam.key()}{mark(exam.document())}-{run:04d}"


def _one(
    exam: Exam,
    made: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    out: Path | None,
    told: str,
    run: int,
    *,
    report: Report = lambda line, done, total: None,
) -> Seen:
    course = None
    if out is not None:
        partial, name = Partial(out, told), f"{_name(exam, run)}-course"

        def load() -> dict[str, Tensor] | None:
            piece = partial.load(name)
            return None if piece is None else piece[1]

        def save(kept: dict[str, Tensor]) -> None:
            partial.save(name, {}, kept)

        course = Course(load, save, max(1, made.steps // SAVINGS))
    return play(
        exam,
        run=run,
        made=made,
        trainer=trainer,
        device=device,
        data_root=data_root,
        report=report,
        course=course,
    )


def _begin(work: Work) -> None:
    prepare_process(1)
    torch.set_num_threads(1)
    _given.append(work)


def _work(run: int) -> Seen:
    return _one(*_given[0], run)


_given: list[Work] = []
"""What every run of a process shares."""
