"""Train models of a Trial with the victims' own trainer, and keep their logits, not the models."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from attacks.membership.scenario import Trial
from attacks.membership.shadows.candidates import Candidates, training_of
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.watcher import Watcher
from defenses.registry import shown_options
from victims.models.frozen import Featurised
from victims.training import Training
from victims.training.plan import plan
from victims.training.prepare import prepare
from victims.training.trainer import Trainer

Piece = tuple[dict[str, Any], dict[str, Tensor]]
"""Facts and tensors of one trained model."""


def settled(training: Training, examples: int) -> Training:
    """The training with its noise found once, so that no shadow searches for it again."""
    made = plan(training, examples)
    if training.epsilon is None or made.cut:
        return training
    return dataclasses.replace(training, epsilon=None, defense_options=shown_options(made.defense))


def started(
    trial: Trial, shared: Training, candidates: Candidates, model: int, device: str
) -> Trainer:
    """The trainer of one model at its first step; for the arguments see `train_one`."""
    prepared = prepare(
        training_of(trial, model, shared),
        device=device,
        private=candidates.pool.take(candidates.members[model].nonzero()[:, 0]),
        test=candidates.population,
        anchors=candidates.anchors,
    )
    return prepared.trainer


def train_one(
    trial: Trial, shared: Training, candidates: Candidates, model: int, device: str, layout: str
) -> Piece:
    """Train a model and ask it about every candidate.

    Args:
        trial: what is played.
        shared: see `settled`.
        candidates: see `candidates.draw`.
        model: 0 is the target, the others are shadows.
        device: where it is trained.
        layout: of `trial.LAYOUTS`, not ``auto``.

    Returns:
        Facts: ``seconds`` of training, accuracy on its members (``inside``) and on the other
        candidates (``outside``), of the target also on its members before training (``start``).
        Tensors: ``pool`` (2n, Q, C) and ``population`` (M, Q, C)
        logits; of the target also ``gradient-*`` (2n,), see `gradients`.
    """
    trainer = started(trial, shared, candidates, model, device)
    arrange(trainer, layout)
    start = {"start": _before(trainer, candidates)} if model == 0 else {}
    began = time.perf_counter()
    watcher = Watcher(trainer, candidates.pool, trial.watched) if model == 0 else None
    while trainer.step < trainer.plan.steps:
        if watcher is not None and watcher.wants(trainer.step):
            watcher.advance()
        else:
            trainer.advance()
    facts, found = _asked(trial, candidates, model, trainer, time.perf_counter() - began)
    return facts | start, found | (watcher.scores() if watcher is not None else {})


def train_together(
    trial: Trial, shared: Training, candidates: Candidates, models: Sequence[int], device: str
) -> list[Piece]:
    """`train_one` of several shadows in lockstep; ``seconds`` are a model's share."""
    group = Lockstep([started(trial, shared, candidates, m, device) for m in models])
    began = time.perf_counter()
    while group.trainers[0].step < group.trainers[0].plan.steps:
        group.advance()
    seconds = (time.perf_counter() - began) / len(models)
    return [
        _asked(trial, candidates, m, trainer, seconds)
        for m, trainer in zip(models, group.trainers, strict=True)
    ]


def _asked(
    trial: Trial, candidates: Candidates, model: int, trainer: Trainer, seconds: float
) -> Piece:
    """What a trained model says of every candidate."""
    chosen = candidates.members[model]
    found = {
        "pool": logits(trainer, candidates.pool.images, trial.queries),
        "population": logits(trainer, candidates.population.images, trial.queries),
    }
    right = (found["pool"][:, 0].argmax(1) == candidates.pool.labels).double()
    inside, outside = float(right[chosen].mean()), float(right[~chosen].mean())
    return {"seconds": seconds, "inside": inside, "outside": outside}, found


def _before(trainer: Trainer, candidates: Candidates) -> float:
    """Accuracy of the untrained target on its members."""
    own = candidates.pool.take(candidates.members[0].nonzero()[:, 0])
    right = logits(trainer, own.images, 1)[:, 0].argmax(1) == own.labels
    return float(right.double().mean())


def arrange(trainer: Trainer, layout: str) -> None:
    """Put weights and images of convolutions into a layout; the numbers stay what they are."""
    if layout == "channels-last" and trainer.inputs.ndim == 4:
        trainer.net.to(memory_format=torch.channels_last)
        trainer.inputs = trainer.inputs.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def logits(trainer: Trainer, images: Tensor, queries: int, batch: int = 512) -> Tensor:
    """(N, Q, C) logits of the weights that count, on images and, for Q = 2, their mirrors."""
    trainer.net.eval()
    weights = trainer.evaluated()
    rows = []
    for part in images.split(batch):
        views = [part, part.flip(-1)][:queries]
        asked = torch.stack([_ask(trainer, weights, view) for view in views], 1)
        rows.append(asked.float().cpu())
    trainer.net.train()
    return torch.cat(rows)


def _ask(trainer: Trainer, weights: dict[str, Tensor], images: Tensor) -> Tensor:
    inputs = images.to(trainer.device)
    if isinstance(trainer.model, Featurised):
        inputs = trainer.model.features(inputs)
    answer: Tensor = functional_call(trainer.net, weights, (inputs,))
    return answer
