"""An audited training seen from outside: mislabelled examples, scored by the model alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.audit.game.seen import Report, Seen, looked_at
from attacks.audit.scenario import Exam
from attacks.membership.shadows.train import logits
from defenses import stream
from victims.data import Data, load_data
from victims.training.anchors import anchors_of, refuse_private
from victims.training.plan import Plan
from victims.training.prepare import prepare
from victims.training.trainer import Trainer


def black_box(
    exam: Exam,
    made: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
) -> Seen:
    """Mislabelled examples join the data; the adversary sees the model at some steps."""
    t = made.training
    data = load_data(
        t.data,
        split="train",
        count=int(t.count or 0) + exam.canaries,
        root=data_root,
        size=t.size,
        seed=exam.seed,
    )
    anchors = anchors_of(t, data_root=data_root, seed=exam.seed)
    refuse_private(anchors, data.images, "the private ones and the canaries")
    everything = torch.arange(len(data.labels))
    base, others = data.take(everything[: t.count]), data.take(everything[t.count :])
    wrong = torch.randint(1, data.classes, (exam.canaries,), generator=stream(t.seed, "labels"))
    labels = (others.labels + wrong) % data.classes
    inserted = torch.rand(exam.canaries, generator=stream(t.seed, "coins")) < 0.5
    private = Data(
        torch.cat([base.images, others.images[inserted]]),
        torch.cat([base.labels, labels[inserted]]),
        data.classes,
        data.names,
    )
    made = dataclasses.replace(made, examples=len(private.labels))
    asked = Data(others.images, labels, data.classes, data.names)
    prepared = prepare(
        t,
        device=device,
        private=private,
        test=asked,
        anchors=anchors,
        data_root=data_root,
        made=made,
        trainer=trainer,
    )
    victim = prepared.trainer
    looks = looked_at(made.steps)
    found = []
    while victim.step < made.steps:
        victim.advance()
        report("training with canaries", victim.step, made.steps)
        if victim.step in looks:
            found.append(_leaning(logits(victim, others.images, 1)[:, 0], labels))
    return Seen(inserted, torch.stack(found), looks)


def _leaning(answers: Tensor, labels: Tensor) -> Tensor:
    """(m,) how much a model prefers a canary's wrong label to the other wrong ones.

    Its mean logit over all labels is what a canary not inserted would have there; the true label
    tells how well the picture is known, not whether the canary was there.
    """
    chosen = one_hot(labels, answers.shape[1]).bool()
    return answers[chosen].double() - answers.double().mean(1)
