"""Trains the models of a Scenario with the victims' trainer, and keeps their logits alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import Candidates, training_of
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.watcher import Watcher
from defenses.options import shown_options
from victims.training import Training
from victims.training.examples import Examples
from victims.training.logits import logits
from victims.training.plan import make_plan
from victims.training.prepare import prepare
from victims.training.trainer import Trainer


class Piece(NamedTuple):
    """What is kept of one trained model.

    Attributes:
        facts: ``seconds`` of training, accuracy on its members (``inside``) and on the other
            candidates (``outside``), of the target also on its members before training
            (``start``).
        tensors: logits ``pool`` (2n, Q, C) and ``population`` (M, Q, C); of the target also
            ``gradient-*`` (2n,), see `watcher`.
    """

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


def with_noise_set(training: Training, examples: int) -> Training:
    """The training with its noise found once, so that no shadow searches for it again."""
    plan = make_plan(training, examples)
    if training.epsilon is None or plan.cut:
        return training
    return dataclasses.replace(training, epsilon=None, defense_options=shown_options(plan.defense))


def make_trainer(
    scenario: Scenario, shared: Training, candidates: Candidates, model: int, device: str
) -> Trainer:
    """The trainer of one model at its first step; for the arguments see `train_one`."""
    members = candidates.pool.take(candidates.members[model].nonzero()[:, 0])
    examples = Examples(members, candidates.population, candidates.anchors)
    training = training_of(scenario, model, shared)
    # The number that rate, steps and noise follow from is public: how many joined is not.
    plan = make_plan(training, scenario.members)
    plan = dataclasses.replace(plan, examples=len(members.labels))
    return prepare(training, device=device, examples=examples, plan=plan).trainer


def train_one(
    scenario: Scenario,
    shared: Training,
    candidates: Candidates,
    model: int,
    device: str,
    layout: str,
) -> Piece:
    """Train a model and ask it about every candidate.

    Args:
        scenario: what is played.
        shared: the training of all models, see `with_noise_set`.
        candidates: examples and members, see `candidates.draw`.
        model: the model's number; 0 is the target, the others are shadows.
        device: where it is trained.
        layout: one of `LAYOUTS`, but not ``auto``.
    """
    trainer = make_trainer(scenario, shared, candidates, model, device)
    set_layout(trainer, layout)
    start = {"start": accuracy_on_members(trainer, candidates)} if model == 0 else {}
    began = time.perf_counter()
    watcher = Watcher(trainer, candidates.pool, scenario.watched) if model == 0 else None
    while trainer.step < trainer.plan.steps:
        if watcher is not None and watcher.wants(trainer.step):
            watcher.advance()
        else:
            trainer.advance()
    seconds = time.perf_counter() - began
    piece = question(scenario, candidates, model, trainer, seconds)
    seen = watcher.scores() if watcher is not None else {}
    return Piece(piece.facts | start, piece.tensors | seen)


def train_together(
    scenario: Scenario, shared: Training, candidates: Candidates, models: Sequence[int], device: str
) -> list[Piece]:
    """`train_one` of several shadows in lockstep; ``seconds`` are a model's share."""
    group = Lockstep([make_trainer(scenario, shared, candidates, m, device) for m in models])
    began = time.perf_counter()
    while group.trainers[0].step < group.trainers[0].plan.steps:
        group.advance()
    seconds = (time.perf_counter() - began) / len(models)
    return [
        question(scenario, candidates, m, trainer, seconds)
        for m, trainer in zip(models, group.trainers, strict=True)
    ]


def question(
    scenario: Scenario, candidates: Candidates, model: int, trainer: Trainer, seconds: float
) -> Piece:
    """Ask a trained model about every candidate and the population; ``seconds`` it was trained."""
    chosen = candidates.members[model]
    answers = {
        "pool": logits(trainer, candidates.pool.images, scenario.queries),
        "population": logits(trainer, candidates.population.images, scenario.queries),
    }
    right = (answers["pool"][:, 0].argmax(1) == candidates.pool.labels).double()
    inside, outside = float(right[chosen].mean()), float(right[~chosen].mean())
    return Piece({"seconds": seconds, "inside": inside, "outside": outside}, answers)


def accuracy_on_members(trainer: Trainer, candidates: Candidates) -> float:
    """Accuracy of the target as it is now on its members, in [0, 1]."""
    members = candidates.pool.take(candidates.members[0].nonzero()[:, 0])
    right = logits(trainer, members.images, 1)[:, 0].argmax(1) == members.labels
    return float(right.double().mean())


def set_layout(trainer: Trainer, layout: str) -> None:
    """Put weights and images of convolutions into a layout; the numbers stay what they are."""
    if layout == "channels-last" and trainer.inputs.ndim == 4:
        trainer.net.to(memory_format=torch.channels_last)
        trainer.inputs = trainer.inputs.contiguous(memory_format=torch.channels_last)
