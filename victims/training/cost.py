"""How long a training is going to take on this machine, by a few steps that nobody follows."""

from __future__ import annotations

from defenses.randomness import seeded
from reports.commands.clock import now
from reports.commands.progress import FIRST
from victims.training.trainer import Trainer

TRIED = 2
"""Steps that are timed where the first one, which warms up, has shown that it is worth it."""


def seconds_of(trainer: Trainer, steps: int) -> float:
    """Seconds that so many steps of a training take, by the quickest of those tried.

    They are the step that comes next, and are not taken: batch and noise are drawn, the release is
    thrown away, and weights, memory and account stay as they are.

    Args:
        trainer: in front of its next step.
        steps: how many are asked about.
    """
    if trainer.step >= trainer.plan.steps:
        return 0.0
    least = _try(trainer)
    if steps * least < FIRST:
        return steps * least
    return steps * min(_try(trainer) for _ in range(TRIED))


def _try(trainer: Trainer) -> float:
    began = now(trainer.device)
    images, labels, extra = trainer.batch()
    with seeded(trainer.draw("dropout", trainer.step)):
        draw = trainer.draw("noise", trainer.step)
        trainer.release(images, labels, draw, extra=extra)
    return now(trainer.device) - began
