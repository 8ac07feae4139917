"""Plays all trainings of a Scenario, here or in processes, and keeps what is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from attacks.audit.game.play import content, play
from attacks.audit.game.seen import Course, Seen
from attacks.audit.scenario import Scenario
from reports.commands.origins import mark
from reports.commands.progress import Report, unwatched
from reports.commands.threads import one_thread
from reports.commands.workers import prepare_process, spread
from reports.records import Partial
from victims.training.plan import Plan
from victims.training.trainer import Trainer

Work = tuple[Scenario, Plan, Callable[..., Trainer], str, str | None, Path | None, str]
SAVINGS = 20
"""A run is kept so many times on its way."""


def play_all(
    scenario: Scenario,
    plan: Plan,
    *,
    out: Path | None,
    device: str,
    data_root: str | None,
    report: Report,
    jobs: int = 1,
    trainer: Callable[..., Trainer] = Trainer,
) -> list[Seen]:
    """Play every run of a Scenario, on one thread each, whatever ``jobs`` is.

    Args:
        scenario: what is played.
        plan: the plan of its trainings, see `attacks.audit.game.play.plan_with_canaries`.
        out: the folder in which runs are kept, finished or not; None keeps none.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: called along the trainings.
        jobs: how many trainings run at a time.
        trainer: see `attacks.audit.game.play.play`; processes need it importable.

    Returns:
        What each run gave, in order.
    """
    data = content(scenario, data_root) if out else ""
    partial = Partial(out, data) if out else None
    finished = _load(scenario, partial) if partial else {}
    missing = [run for run in range(scenario.runs) if run not in finished]
    work: Work = (scenario, plan, trainer, device, data_root, out, data)
    alone = scenario.runs == 1
    with one_thread():
        for run, seen in _play_runs(work, missing, jobs, report if alone else unwatched):
            finished[run] = seen
            if partial:
                _save(partial, _name(scenario, run), seen)
            if not alone:
                report("training with canaries", len(finished), scenario.runs)
    return [finished[run] for run in range(scenario.runs)]


def _play_runs(
    work: Work, runs: Sequence[int], jobs: int, report: Report
) -> Iterator[tuple[int, Seen]]:
    """What each of some runs gave, as they end."""
    jobs = min(jobs, len(runs))
    if jobs <= 1:
        yield from ((run, _play_run(*work, run, report=report)) for run in runs)
    else:
        doing = "training with canaries"
        yield from spread(_work, runs, jobs=jobs, begin=_begin, given=(work,), doing=doing)


def _load(scenario: Scenario, partial: Partial) -> dict[int, Seen]:
    """What the finished runs gave, by their numbers."""
    finished = {}
    for run in range(scenario.runs):
        piece = partial.load(_name(scenario, run))
        if piece is not None:
            facts, arrays = piece
            visible = arrays["visible"].bool() if "visible" in arrays else None
            finished[run] = Seen(
                arrays["inserted"].bool(), arrays["scores"], facts["steps"], visible
            )
    return finished


def _save(partial: Partial, name: str, seen: Seen) -> None:
    """Keep what a run gave as the piece ``name``."""
    arrays = {"inserted": seen.inserted.to(torch.uint8), "scores": seen.scores}
    if seen.visible is not None:
        arrays["visible"] = seen.visible.to(torch.uint8)
    partial.save(name, {"steps": seen.steps}, arrays)


def _name(scenario: Scenario, run: int) -> str:
    """The name of the piece that keeps a run."""
    return f"{scenario.key()}{mark(scenario.document())}-{run:04d}"


def _play_run(
    scenario: Scenario,
    plan: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    out: Path | None,
    data: str,
    run: int,
    *,
    report: Report = unwatched,
) -> Seen:
    """What one run gives; see `play_all` for the arguments."""
    course = None
    if out is not None:
        course = _course(Partial(out, data), f"{_name(scenario, run)}-course", plan.steps)
    return play(
        scenario,
        run=run,
        plan=plan,
        trainer=trainer,
        device=device,
        data_root=data_root,
        report=report,
        course=course,
    )


def _course(partial: Partial, name: str, steps: int) -> Course:
    """Keeps a run of so many steps as the piece ``name``, `SAVINGS` times."""

    def load() -> dict[str, Tensor] | None:
        piece = partial.load(name)
        return None if piece is None else piece[1]

    def save(tensors: dict[str, Tensor]) -> None:
        partial.save(name, {}, tensors)

    return Course(load, save, max(1, steps // SAVINGS))


def _begin(work: Work) -> None:
    prepare_process(1)
    torch.set_num_threads(1)
    _given.append(work)


def _work(run: int) -> Seen:
    return _play_run(*_given[0], run)


_given: list[Work] = []
"""What every run of a process shares."""
