"""One Exam from a training to a Record with a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import attacks.audit as audit
from attacks.audit.bounds import bounds_of, together
from attacks.audit.control import controls, doubt, reaches
from attacks.audit.game.play import content, planned
from attacks.audit.game.play_all import play_all
from attacks.audit.game.seen import Report
from attacks.audit.scenario import Exam
from defenses import BadInput, Defense
from defenses.registry import shown_options
from reports.detection import auc, sample
from reports.evidence.control import CANNOT_JUDGE
from reports.records import Record
from reports.records.audit import KIND
from reports.records.environment import environment
from victims.training.plan import Plan
from victims.training.trainer import Trainer

REFUTED, CONSISTENT, UNCLAIMED = "claim refuted", "consistent", "nothing claimed"
IF_GAUSSIAN = "claim refuted, if the mechanism is Gaussian"
GAUSSIAN = "a Gaussian mechanism"


def perform(
    exam: Exam,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
    jobs: int = 1,
    trainer: Callable[..., Trainer] = Trainer,
) -> Record:
    """Train with canaries, bound epsilon from below, and compare with the claim.

    Args:
        exam: what is audited, and how.
        out: folder in which interrupted work is kept; None keeps none.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        jobs: trainings at a time.
        trainer: another training loop than ours, see `game.play`.

    Returns:
        ``rows``: one per auditor with ``claimed`` (None: nothing), ``audited``, ``reach`` (what
        perfect scores prove), ``control`` (what the undefended training's prove, black-box, else
        None), ``verdict``, its ``doubt`` and what it ``assumes``; of this ``unclaimed`` is what
        the defense does not claim to be, so that no verdict can rest on it (may be empty).
        ``summary["along"]``: the bounds at several steps of the run, each look at the stated
        confidence by itself. Arrays: ``scores`` (looks, m), ``inserted`` (m,).

    Raises:
        BadInput: it cannot be played; before anything is trained.
    """
    rehearse(exam)
    made = planned(exam)
    play = partial(
        play_all,
        out=out,
        device=device,
        data_root=data_root,
        report=report,
        jobs=jobs,
        trainer=trainer,
    )
    seen = play(exam, made)
    scores, inserted = together(seen)
    steps = seen[0].steps
    claims = [_claim(exam, made, step) for step in steps]
    bounds = [bounds_of(exam, row, inserted) for row in scores]
    most, control = (
        reaches(exam, seen),
        controls(exam, claims[-1], lambda bare: play(bare, planned(bare))),
    )
    doubts = {n: doubt(claims[-1], most[n], control.get(n)) for n in exam.methods}
    unclaimed = {name: _unclaimed(name, made.defense) for name in exam.methods}
    rows = [
        {
            "defense": exam.training.defense,
            "method": name,
            "claimed": _finite(claims[-1]),
            "audited": bounds[-1][name],
            "confidence": exam.confidence,
            "reach": most[name],
            "control": control.get(name),
            "verdict": verdict(claims[-1], bounds[-1][name], unclaimed[name], doubts[name]),
            "doubt": doubts[name],
            "assumes": audit.registry.find(name).assumes,
            "unclaimed": unclaimed[name],
            "canary": exam.canary,
            "canaries": len(inserted),
            "inserted": int(inserted.sum()),
        }
        for name in exam.methods
    ]
    along = [
        {"step": step, "claimed": _finite(claim), "audited": found}
        for step, claim, found in zip(steps, claims, bounds, strict=True)
    ]
    told = {
        "options": {
            k: v
            for k, v in shown_options(made.defense).items()
            if isinstance(v, int | float | str) and not isinstance(v, bool)
        },
        "epsilon": _finite(claims[-1]),
        "delta": made.training.delta,
        "steps": made.steps,
        "sample_rate": made.sample_rate,
        "assumes": "Poisson sampling, add/remove adjacency",
        "holds": made.holds,
    }
    summary = {"audits": {"auc": auc(sample(scores[-1], inserted)).document()}, "along": along}
    return Record(
        KIND,
        exam.document(),
        rows,
        summary,
        {"audited": 0.0, "auc": 0.5},
        told,
        {**environment(seed=exam.seed, device=device), "data_sha256": content(exam, data_root)},
        {"scores": scores, "inserted": inserted.to(torch.uint8)},
    )


def verdict(claimed: float, audited: float, unclaimed: str = "", doubted: str = "") -> str:
    """One of `REFUTED`, `IF_GAUSSIAN`, `CONSISTENT`, `UNCLAIMED` and `CANNOT_JUDGE`.

    Args:
        claimed: epsilon; infinite: none.
        audited: its lower bound.
        unclaimed: what the bound assumes and the defense does not claim to be.
        doubted: why it is no evidence that the claim was not refuted, see `control.doubt`.
    """
    if math.isinf(claimed):
        return UNCLAIMED
    if audited <= claimed:
        return CANNOT_JUDGE if doubted else CONSISTENT
    return IF_GAUSSIAN if unclaimed else REFUTED


def _unclaimed(method: str, defense: Defense) -> str:
    rests = audit.registry.find(method).gaussian and defense.effective_noise() == 0
    return GAUSSIAN if rests else ""


def rehearse(exam: Exam) -> None:
    """Raise `BadInput` when even perfect scores could not prove anything."""
    total = exam.canaries * exam.runs
    if total < 2:
        raise BadInput("one canary in one run proves nothing; raise --canaries or --runs")
    half = torch.arange(total) % 2 == 0
    confidence = 1 - (1 - exam.confidence) / len(exam.methods)
    for name in exam.methods:
        audit.lower_bound(half, half, delta=exam.training.delta, method=name, confidence=confidence)


def _claim(exam: Exam, made: Plan, step: int) -> float:
    """Epsilon claimed after a step; a user's own claim is about the whole run."""
    spent = made.epsilon(step)
    if exam.claim is None:
        return spent
    return exam.claim if step == made.steps else min(exam.claim, spent)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def broken(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether any row refutes the claim by nothing but what the defense claims."""
    return any(row["verdict"] == REFUTED for row in rows)
