"""Turns an audit Scenario into its Record: its trainings are played, judged and recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from attacks.audit.contract import lower_bound, registry
from attacks.audit.control import controls, reaches
from attacks.audit.game.play import content, plan_with_canaries
from attacks.audit.game.play_all import play_all
from attacks.audit.game.seen import Seen
from attacks.audit.lower_bounds import bounds_of, concatenate
from attacks.audit.scenario import Scenario
from attacks.audit.verdicts import GAUSSIAN, doubt, verdict
from defenses import BadInput, Defense
from reports.commands.progress import Report, unwatched
from reports.detection import auc, sample
from reports.records import Record
from reports.records.audit import KIND, Look, Row
from reports.records.environment import environment
from reports.records.training import ClaimBounds
from victims.training.plan import Plan
from victims.training.trainer import Trainer

Play = Callable[[Scenario], list[Seen]]
"""Trains as a Scenario says, once per run, and scores the canaries of each."""


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    jobs: int = 1,
    trainer: Callable[..., Trainer] = Trainer,
) -> Record:
    """Train with canaries, bound epsilon from below, and compare with the claim.

    Args:
        scenario: what is audited, and how.
        out: the folder in which interrupted work is kept; None keeps none.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: called with the progress.
        jobs: how many trainings run at a time.
        trainer: another training loop than ours, see `attacks.audit.game.play`.

    Returns:
        The Record. Its ``rows`` are those of `judge`. Its ``summary["along"]`` holds the bounds at
        several steps of the run, each look at the stated confidence by itself. Its arrays are
        ``scores`` (looks, m) and ``inserted`` (m,).

    Raises:
        BadInput: the Scenario cannot be played; before anything is trained.
    """
    rehearse(scenario)
    play = partial(
        play_all,
        out=out,
        device=device,
        data_root=data_root,
        report=report,
        jobs=jobs,
        trainer=trainer,
    )
    plan = plan_with_canaries(scenario)
    seen = play(scenario, plan)
    rows, looks = judge(scenario, plan, seen, lambda bare: play(bare, plan_with_canaries(bare)))
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = content(scenario, data_root)
    return record(scenario, plan, seen, rows, looks, facts)


def judge(
    scenario: Scenario, plan: Plan, seen: Sequence[Seen], play: Play
) -> tuple[list[Row], list[Look]]:
    """What the canaries' scores prove, and what that says of the claim.

    Args:
        scenario: what was audited.
        plan: the plan of its trainings.
        seen: what each of its runs gave.
        play: plays the positive control, which is another Scenario.

    Returns:
        A row per auditor, and a look per step of the run at which one was taken.
    """
    scores, inserted = concatenate(seen)
    steps = seen[0].steps
    claims = [_claim(scenario, plan, step) for step in steps]
    bounds = [bounds_of(scenario, look, inserted) for look in scores]
    claimed, audited = claims[-1], bounds[-1]
    reach, control = reaches(scenario, seen), controls(scenario, claimed, play)
    rows = []
    for name in scenario.methods:
        doubted = doubt(claimed, reach[name], control.get(name))
        unclaimed = _unclaimed_assumption(name, plan.defense)
        rows.append(
            Row(
                defense=scenario.training.defense,
                method=name,
                claimed=_finite(claimed),
                audited=audited[name],
                confidence=scenario.confidence,
                reach=reach[name],
                control=control.get(name),
                verdict=verdict(claimed, audited[name], unclaimed, doubted),
                doubt=doubted,
                assumes=registry.find(name).assumes,
                unclaimed=unclaimed,
                canary=scenario.canary,
                canaries=len(inserted),
                inserted=int(inserted.sum()),
            )
        )
    looks = [
        Look(step=step, claimed=_finite(claim), audited=bound)
        for step, claim, bound in zip(steps, claims, bounds, strict=True)
    ]
    return rows, looks


def record(
    scenario: Scenario,
    plan: Plan,
    seen: Sequence[Seen],
    rows: Sequence[Row],
    looks: Sequence[Look],
    facts: dict[str, Any],
) -> Record:
    """The Record of an audit; ``rows`` and ``looks`` are `judge`'s, ``facts`` its environment."""
    scores, inserted = concatenate(seen)
    options = {k: v for k, v in plan.options().items() if not isinstance(v, bool)}
    return Record(
        KIND,
        scenario.document(),
        rows,
        {"audits": {"auc": auc(sample(scores[-1], inserted)).document()}, "along": looks},
        {"audited": 0.0, "auc": 0.5},
        ClaimBounds(options=options, epsilon=rows[0]["claimed"], **plan.bounds()),
        facts,
        {"scores": scores, "inserted": inserted.to(torch.uint8)},
    )


def rehearse(scenario: Scenario) -> None:
    """Raise `BadInput` where even perfect scores could not prove anything."""
    total = scenario.canaries * scenario.runs
    if total < 2:
        raise BadInput("one canary in one run proves nothing; raise --canaries or --runs")
    half = torch.arange(total) % 2 == 0
    confidence = 1 - (1 - scenario.confidence) / len(scenario.methods)
    for name in scenario.methods:
        lower_bound(half, half, delta=scenario.training.delta, method=name, confidence=confidence)


def _claim(scenario: Scenario, plan: Plan, step: int) -> float:
    """Epsilon claimed after a step; a user's own claim is about the whole run."""
    spent = plan.epsilon(step)
    if scenario.claim is None:
        return spent
    return scenario.claim if step == plan.steps else min(scenario.claim, spent)


def _unclaimed_assumption(method: str, defense: Defense) -> str:
    """What an auditor assumes of the mechanism and the defense does not claim; may be empty."""
    rests = registry.find(method).gaussian and defense.effective_noise() == 0
    return GAUSSIAN if rests else ""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
