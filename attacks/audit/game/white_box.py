"""Plays an audited training seen from inside: every release scores gradient canaries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from functools import partial
from operator import mul

import torch
from torch import Tensor

from attacks.audit.game.canaries import Canaries
from attacks.audit.game.seen import Course, Seen, look_steps
from attacks.audit.scenario import Scenario
from defenses import Release, Summed
from defenses.randomness import seeded
from reports.commands.progress import Report, expect
from victims.data import load_data
from victims.training.anchors import anchors_of
from victims.training.examples import Examples
from victims.training.plan import Plan
from victims.training.prepare import prepare
from victims.training.state import restore, state
from victims.training.trainer import Trainer

TRIED = 3
"""Steps by whose time the others are foretold."""


def white_box(
    scenario: Scenario,
    plan: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
    course: Course,
) -> Seen:
    """Train with gradient canaries in the batches; the adversary sees all releases.

    For the arguments see `play`.
    """
    victim, canaries = _join(scenario, plan, trainer, device, data_root)
    looks = look_steps(plan.steps)
    scores = _resume(victim, canaries, course)
    start, began = victim.step, time.monotonic()
    while victim.step < plan.steps:
        believed, weights, index = victim.informed(), victim.network.weights(), victim.sample()
        release = victim.advance()
        others = None
        if isinstance(believed, Summed):  # what a batch gives is the sum of what its examples give
            real = index[index < len(victim.inputs)]
            others = contribution(victim, real, weights, believed, release)
        canaries.observe(release, believed, others)
        if victim.step == start + TRIED:  # what canaries take is told by doing it alone
            each = (time.monotonic() - began) / TRIED
            expect(report, partial(mul, each, plan.steps - victim.step))
        report("training with canaries", victim.step, plan.steps)
        if victim.step in looks:
            scores.append(canaries.scores.clone())
        if victim.step % course.every == 0 and victim.step < plan.steps:
            _save(victim, canaries, scores, course)
    return Seen(canaries.inserted, torch.stack(scores), looks, canaries.visible)


def _join(
    scenario: Scenario,
    plan: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
) -> tuple[Trainer, Canaries]:
    """A trainer whose batches hold the canaries that are inserted, and all canaries."""
    t = plan.training
    holder: list[Canaries] = []
    private = load_data(
        t.data, split="train", count=t.count, root=data_root, size=t.size, seed=scenario.seed
    )
    anchors = anchors_of(t, data_root=data_root, seed=scenario.seed)
    victim = prepare(
        t,
        device=device,
        examples=Examples(private, private, anchors),
        plan=plan,
        trainer=partial(trainer, join=lambda index: holder[0].gradients(index)),
    ).trainer
    canaries = Canaries(
        victim.parameters,
        count=scenario.canaries,
        kind=scenario.canary,
        length=scenario.length * float(getattr(plan.defense, "clip", 1.0)),
        sample_rate=plan.sample_rate,
        seed=t.seed,
    )
    holder.append(canaries)
    examples = len(private.labels) + int(canaries.inserted.sum())
    victim.plan = dataclasses.replace(victim.plan, examples=examples)
    return victim, canaries


def _resume(victim: Trainer, canaries: Canaries, course: Course) -> list[Tensor]:
    """Go on where an interrupted run was saved; returns the scores at its looks so far."""
    saved = course.load()
    if saved is None:
        return []
    canaries.scores = saved.pop("audit.scores")
    canaries.visible = saved.pop("audit.visible")
    scores = list(saved.pop("audit.found"))
    restore(victim, saved)
    return scores


def _save(victim: Trainer, canaries: Canaries, scores: list[Tensor], course: Course) -> None:
    """Keep where the run stands, for `_resume`."""
    looked = torch.stack(scores) if scores else canaries.scores.new_zeros(0, len(canaries.scores))
    parts = {"scores": canaries.scores, "found": looked, "visible": canaries.visible}
    named = {f"audit.{name}": value.clone() for name, value in parts.items()}
    course.save({**state(victim), **named})


def contribution(
    victim: Trainer,
    index: Tensor,
    weights: Mapping[str, Tensor],
    defense: Summed,
    release: Release,
) -> dict[str, Tensor]:
    """What examples that are no canaries contributed to a release.

    Differential privacy lets its adversary know them, and who of them was sampled.

    Args:
        victim: the trainer that made the release.
        index: (k,) the examples' places among the inputs.
        weights: the weights that the release was made at.
        defense: the defense as the adversary believes it to be.
        release: the release, whose public plan, such as a mask, is followed.
    """
    now = victim.network.weights()
    victim.network.put(weights)
    total = {k: torch.zeros_like(v) for k, v in weights.items()}
    step = victim.step - 1
    with seeded(
        victim.draw("dropout", step)
    ):  # as they drew then: what is random about them is theirs
        for part in victim.network.chunks(*victim.inputs_at(index, step)):
            for name, value in defense.replay(part, release).items():
                total[name] += value
    victim.network.put(now)
    return total
