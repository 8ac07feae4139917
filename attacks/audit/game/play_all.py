"""Plays all trainings of a Scenario, here or in processes, and keeps what is finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from attacks.audit.game.play import content, play
from attacks.audit.game.seen import Course, Seen
from attacks.audit.scenario import Scenario
from reports.commands.origins import mark
from reports.commands.progress import Report, silent
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
    """What each run of a Scenario gave, in order; on one thread each, whatever ``jobs`` is.

    Args:
        scenario: what is played.
        plan: see `plan_with_canaries`.
        out: folder in which finished runs, and where the others stand, are kept; None: nowhere.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        jobs: trainings at a time.
        trainer: see `game.play`; processes need it importable.
    """
    data = content(scenario, data_root) if out else ""
    partial = Partial(out, data) if out else None
    found: dict[int, Seen] = {}
    for run in range(scenario.runs):
        piece = partial.load(_name(scenario, run)) if partial else None
        if piece is not None:
            arrays = piece[1]
            visible = arrays["visible"].bool() if "visible" in arrays else None
            coins = arrays["inserted"].bool()
            found[run] = Seen(coins, arrays["scores"], piece[0]["steps"], visible)
    missing = [run for run in range(scenario.runs) if run not in found]
    work: Work = (scenario, plan, trainer, device, data_root, out, data)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            one = scenario.runs == 1
            within = report if one else silent
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
                    partial.save(_name(scenario, run), {"steps": seen.steps}, arrays)
                if not one:
                    report("training with canaries", len(found), scenario.runs)
    finally:
        torch.set_num_threads(before)
    return [found[run] for run in range(scenario.runs)]


def _name(scenario: Scenario, run: int) -> str:
    return f"{scenario.key()}{mark(scenario.document())}-{run:04d}"


def _one(
    scenario: Scenario,
    plan: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    out: Path | None,
    data: str,
    run: int,
    *,
    report: Report = silent,
) -> Seen:
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
    return _one(*_given[0], run)


_given: list[Work] = []
"""What every run of a process shares."""
