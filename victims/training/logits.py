"""Asks a model in training about images: the logits of the weights that count."""

from __future__ import annotations

import torch
from torch import Tensor

from victims.gradients.logits_at import logits_at
from victims.models.frozen import Featurised
from victims.training.trainer import Trainer


@torch.no_grad()
def logits(trainer: Trainer, images: Tensor, queries: int, batch: int = 512) -> Tensor:
    """Logits of a trainer's evaluated weights, in eval mode.

    Args:
        trainer: a run at any step.
        images: (N, C, H, W) in [0, 1], never features.
        queries: Q: 1, or 2 to ask about the mirrored images too.
        batch: how many images are asked about together.

    Returns:
        (N, Q, classes) float32 on the CPU.
    """
    trainer.net.eval()
    weights = trainer.evaluated_weights()
    rows = []
    for part in images.split(batch):
        views = [part, part.flip(-1)][:queries]
        answers = torch.stack([_answer(trainer, weights, view) for view in views], 1)
        rows.append(answers.float().cpu())
    trainer.net.train()
    return torch.cat(rows)


def _answer(trainer: Trainer, weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """(B, classes) logits of images (B, C, H, W) at some weights."""
    inputs = images.to(trainer.device)
    if isinstance(trainer.model, Featurised):
        inputs = trainer.model.features(inputs)
    return logits_at(trainer.net, weights, inputs)
