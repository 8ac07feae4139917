"""An audited training seen from inside: gradient canaries, scored against every release."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from attacks.audit.game.canaries import Canaries
from attacks.audit.game.seen import Course, Report, Seen, looked_at
from attacks.audit.scenario import Exam
from defenses import Release, Summed
from victims.data import load_data
from victims.training.anchors import anchors_of
from victims.training.plan import Plan
from victims.training.prepare import prepare
from victims.training.trainer import Trainer


def white_box(
    exam: Exam,
    made: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
    course: Course,
) -> Seen:
    """Gradient canaries join the batches; the adversary sees all releases."""
    t = made.training
    shield = made.defense
    holder: list[Canaries] = []
    private = load_data(
        t.data, split="train", count=t.count, root=data_root, size=t.size, seed=exam.seed
    )
    prepared = prepare(
        t,
        device=device,
        private=private,
        test=private,
        anchors=anchors_of(t, data_root=data_root, seed=exam.seed),
        data_root=data_root,
        made=made,
        trainer=trainer,
        joined=lambda index: holder[0].gradients(index),
    )
    victim = prepared.trainer
    canaries = Canaries(
        victim.parameters,
        count=exam.canaries,
        kind=exam.canary,
        length=exam.length * float(getattr(shield, "clip", 1.0)),
        sample_rate=made.sample_rate,
        seed=t.seed,
    )
    holder.append(canaries)
    examples = len(private.labels) + int(canaries.inserted.sum())
    victim.plan = dataclasses.replace(victim.plan, examples=examples)
    looks = looked_at(made.steps)
    found: list[Tensor] = []
    kept = course.load()
    if kept is not None:
        canaries.scores = kept.pop("audit.scores")
        canaries.visible = kept.pop("audit.visible")
        found = list(kept.pop("audit.found"))
        victim.load(kept)
    while victim.step < made.steps:
        believed, weights, index = victim.informed(), victim.weights(), victim.sample()
        release = victim.advance()
        others = None
        if isinstance(believed, Summed):  # what a batch gives is the sum of what its examples give
            own = index[index < len(victim.inputs)]
            others = given(victim, own, weights, believed, release)
        canaries.observe(release, believed, others)
        report("training with canaries", victim.step, made.steps)
        if victim.step in looks:
            found.append(canaries.scores.clone())
        if victim.step % course.every == 0 and victim.step < made.steps:
            told = torch.stack(found) if found else canaries.scores.new_zeros(0, exam.canaries)
            parts = {"scores": canaries.scores, "found": told, "visible": canaries.visible}
            mine = {f"audit.{name}": value.clone() for name, value in parts.items()}
            course.save({**victim.state(), **mine})
    return Seen(canaries.inserted, torch.stack(found), looks, canaries.visible)


def given(
    victim: Trainer,
    index: Tensor,
    weights: Mapping[str, Tensor],
    defense: Summed,
    release: Release,
) -> dict[str, Tensor]:
    """What examples that are no canaries gave to a release.

    Differential privacy lets its adversary know them, and who of them was sampled.

    Args:
        victim: in training.
        index: (k,) their places among the inputs.
        weights: those that the release was made at.
        defense: as the adversary believes it to be.
        release: whose public plan, such as a mask, is followed.
    """
    now = victim.weights()
    victim.put(weights)
    total = {k: torch.zeros_like(v) for k, v in weights.items()}
    step = victim.step - 1
    with victim.drawing(step):  # as they drew then: what is random about them is theirs
        for part in victim.chunks(*victim.seen(index, step)):
            for name, value in defense.replay(part, release).items():
                total[name] += value
    victim.put(now)
    return total
