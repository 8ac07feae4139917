"""Plays an audited training seen from outside: the model alone scores mislabelled examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.audit.game.seen import Seen, look_steps
from attacks.audit.scenario import Scenario
from defenses import stream
from reports.commands.progress import Report, expect
from victims.data import Data, load_data
from victims.training.anchors import anchors_of, refuse_private
from victims.training.cost import seconds_of
from victims.training.examples import Examples
from victims.training.logits import logits
from victims.training.plan import Plan
from victims.training.prepare import prepare
from victims.training.trainer import Trainer


def black_box(
    scenario: Scenario,
    plan: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
) -> Seen:
    """Train with mislabelled examples among the data; the adversary sees the model at some steps.

    For the arguments see `play`.
    """
    t = plan.training
    data = load_data(
        t.data,
        split="train",
        count=int(t.count or 0) + scenario.canaries,
        root=data_root,
        size=t.size,
        seed=scenario.seed,
    )
    anchors = anchors_of(t, data_root=data_root, seed=scenario.seed)
    refuse_private(anchors, data.images, "the private ones and the canaries")
    everything = torch.arange(len(data.labels))
    base, others = data.take(everything[: t.count]), data.take(everything[t.count :])
    wrong = torch.randint(1, data.classes, (scenario.canaries,), generator=stream(t.seed, "labels"))
    labels = (others.labels + wrong) % data.classes
    inserted = torch.rand(scenario.canaries, generator=stream(t.seed, "coins")) < 0.5
    private = Data(
        torch.cat([base.images, others.images[inserted]]),
        torch.cat([base.labels, labels[inserted]]),
        data.classes,
        data.names,
    )
    plan = dataclasses.replace(plan, examples=len(private.labels))
    canaries = Data(others.images, labels, data.classes, data.names)
    examples = Examples(private, canaries, anchors)
    victim = prepare(t, device=device, examples=examples, plan=plan, trainer=trainer).trainer
    looks = look_steps(plan.steps)
    scores = []
    twice = 1 if t.defense == "none" else 2  # the positive control is trained as long
    expect(report, lambda: twice * seconds_of(victim, plan.steps))
    while victim.step < plan.steps:
        victim.advance()
        report("training with canaries", victim.step, plan.steps)
        if victim.step in looks:
            scores.append(preference(logits(victim, others.images, 1)[:, 0], labels))
    return Seen(inserted, torch.stack(scores), looks)


def preference(answers: Tensor, labels: Tensor) -> Tensor:
    """How much a model prefers a canary's wrong label to the other wrong ones.

    The mean logit over all labels is what a canary not inserted would have at its own; the true
    label tells how well the picture is known, not whether the canary was there.

    Args:
        answers: (m, classes) logits.
        labels: (m,) the canaries' labels.

    Returns:
        (m,) float64.
    """
    chosen = one_hot(labels, answers.shape[1]).bool()
    return answers[chosen].double() - answers.double().mean(1)
