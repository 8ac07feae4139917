"""A training loop under examination: builds it, and chooses its next batch for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from defenses import Release, stream
from defenses.conformance.finding import Finding, Verdict, finding_of
from defenses.gradients import flat
from victims.training.streams import Repeatable
from victims.training.trainer import Trainer
from victims.training.views import augment

Build = Callable[[Tensor, Tensor], Trainer]
"""A trainer at step 0 for private inputs (N, ...) and labels (N,).

Neighbouring data sets must get the same public facts: a sample rate, a number of steps and a
batch size that are fixed beforehand, not computed from N, and the same seed.
"""


@dataclass(frozen=True)
class Loop:
    """A training loop and data to try it with.

    Attributes:
        build: see `Build`.
        inputs: (N, ...) stand-ins for private examples, some dozens.
        labels: (N,) int64.
        seed: the seed of the examples that are added.
    """

    build: Build
    inputs: Tensor
    labels: Tensor
    seed: int = 0

    def trainer(
        self, inputs: Tensor | None = None, labels: Tensor | None = None, keep: int | None = None
    ) -> Trainer:
        """A trainer of the examples, of the first ``keep`` of them, or with some more."""
        both = [self.inputs[:keep], self.labels[:keep]]
        if inputs is not None and labels is not None:
            both = [torch.cat([both[0], inputs]), torch.cat([both[1], labels])]
        trainer = self.build(*both)
        # Neighbouring data share their noise here and nowhere else: what is left is the example.
        trainer.draw = Repeatable(self.seed, "conformance")
        for module in trainer.net.modules():
            # Dropout would be drawn anew for everybody when one example joins.
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.eval()
        return trainer

    def generator(self, *names: object) -> torch.Generator:
        """A generator for one purpose."""
        return stream(self.seed, "conformance", *names)


@dataclass(frozen=True)
class LoopCheck:
    """One structural property of a training loop, as a function of how it is built."""

    judge: Callable[[Loop], Verdict]

    @property
    def name(self) -> str:
        """What the property is called."""
        return self.judge.__name__

    def __call__(self, build: Build, inputs: Tensor, labels: Tensor, *, seed: int = 0) -> Finding:
        """Look for this property; arguments as for `Loop`."""
        return finding_of(self.name, lambda: self.judge(Loop(build, inputs, labels, seed)))


def take_step(trainer: Trainer, index: Tensor) -> Release:
    """Take one step whose batch is these examples, and return what it releases.

    Views of an example are those that it has in any company.
    """
    views = trainer.plan.training.views
    if views == 1:
        trainer.sample = lambda: index  # type: ignore[method-assign]
    else:
        images, labels = trainer.inputs[index], trainer.labels[index]
        shown = [
            augment(image[None], views, stream(trainer.step, "views", int(i)))
            for image, i in zip(images, index, strict=True)
        ]
        batch = torch.cat(shown) if shown else augment(images, views, stream(0, "views"))
        trainer.batch = lambda: (batch, labels, None)  # type: ignore[method-assign]
    return trainer.advance()


def released_sum(release: Release) -> Tensor:
    """All coordinates of the update as one double vector, times the public batch size."""
    return flat(release.update).double() * float(release.public["batch_size"])


def weights_of(trainer: Trainer) -> Tensor:
    """(P,) a copy of all trained weights."""
    return flat(trainer.network.weights())


def claims(trainer: Trainer) -> bool:
    """Whether the plan claims a finite epsilon."""
    return math.isfinite(trainer.plan.epsilon(1))
