"""What is public beside a training's releases, for defenses that want to know of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from torch.nn.functional import cross_entropy

from defenses import Side
from victims.gradients import per_example_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from victims.training.trainer import Trainer


def side_at(trainer: Trainer, memory: dict[str, Tensor]) -> Side:
    """What a trainer's defense wants to know of at this step, as far as it is public.

    Args:
        trainer: whose plan, weights and public examples it follows from.
        memory: what a defense that remembers knows, and may write to.
    """
    side, wants = trainer.plan.side, trainer.plan.defense.wants
    if "moved" in wants:
        moved = {k: p.detach() - trainer.start[k] for k, p in trainer.parameters.items()}
        side = dataclasses.replace(side, moved=moved)
    if "anchors" in wants and trainer.public is not None:
        inputs, labels = (part.to(trainer.device) for part in trainer.public)
        anchors = per_example_gradients(trainer.net, cross_entropy, inputs, labels)
        side = dataclasses.replace(side, anchors=anchors)
    if "memory" in wants:
        side = dataclasses.replace(side, memory=memory)
    return side
