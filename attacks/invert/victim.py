"""The victim: private images in, per-example gradients out, as its defense shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss
from attacks.invert.matching.meter import spend
from defenses import Defense, Gradients, Release, preprocessing
from defenses.contract import WIRE_BYTES_PER_VALUE
from defenses.randomness import seeded
from victims import per_example_gradients
from victims.gradients import LocalSteps
from victims.gradients.batch_norm import statistics_of

Taker = Callable[[nn.Module, Loss, Tensor, Tensor], Gradients]
"""(model, loss, images, labels) -> per-example gradients."""


@dataclass(frozen=True)
class Victim:
    """Who has private images, a model and a defense.

    Attributes:
        model: fitted to the defense, its drawing modules in training mode.
        loss: of the training.
        defense: in use; it makes the release of the gradients.
        take: how gradients are taken. An adversary who plays the victim in order to practise
            takes them so that they are counted.
        local: the local steps whose weight difference is released; None: a gradient is.
        statistics: whether the client sends the statistics of its batch normalisation too; the
            model then goes by those of the batch.
    """

    model: nn.Module
    loss: Loss
    defense: Defense
    take: Taker = per_example_gradients
    local: LocalSteps | None = None
    statistics: bool = False

    def gradients(self, images: Tensor, labels: Tensor, *, generator: torch.Generator) -> Gradients:
        """Per-example gradients of private images as the defense shows them, name -> (B, *shape).

        After local steps it is their one difference, name -> (1, *shape).

        Args:
            images: (B, C, H, W) in [0, 1].
            labels: (B,) int64.
            generator: of what the defense draws before the gradient; untouched where it draws
                nothing.
        """
        if self.local is not None:
            spend(len(images))
            return self.local.difference(self.model, self.loss, images, labels)
        seen = preprocessing.random_views(self.defense, images, generator)
        with draw_from(self.model, generator):
            return self.take(self.model, self.loss, seen, labels)

    def release(
        self, grads: Gradients, images: Tensor | None = None, *, generator: torch.Generator
    ) -> Release:
        """The defense's release of these gradients, which says what local steps it is of.

        Args:
            grads: as `gradients` gave them. After local steps the client is one example.
            images: (B, C, H, W), those that the gradients are of, whose ``statistics`` are sent.
            generator: see `Defense.release`.
        """
        release = self.defense.release(grads, generator=generator)
        if self.local is None:
            return release
        release = dataclasses.replace(release, public=release.public | self.local.facts())
        if not self.statistics or images is None:
            return release
        sent = statistics_of(self.model, images)
        size = release.wire_bytes + WIRE_BYTES_PER_VALUE * sum(v.numel() for v in sent.values())
        return dataclasses.replace(release, wire_bytes=size, statistics=sent)


@contextmanager
def draw_from(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Modules that draw from torch's global generator draw from this one in here."""
    if not preprocessing.draws(model):
        yield
        return
    with seeded(generator):
        yield
