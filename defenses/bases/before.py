"""The base of defenses that act before there is a gradient: on the model, or on the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from defenses.bases.summed import Linear
from defenses.contract import Release


@dataclass(frozen=True)
class Before(Linear):
    """A defense that changes the model, the images, or both, and sends the mean gradient.

    A subclass overrides `equip` and `solve`, or `ways` and `view`. What it does to one example
    must not depend on another one, so that in a chain it may stand anywhere and leaves the
    guarantee of the others alone: ``dpsgd+ats``.
    """

    def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """The model that is trained under this defense; ``model`` itself is left alone.

        A module of it that draws at random has an attribute ``draws`` that is True, draws from
        torch's global generator in training mode, and is deterministic in eval mode. A term that
        it wants added to the loss, a mean over rows, it leaves in an attribute ``penalty``.

        Args:
            model: logits from images.
            generator: of new weights.

        Raises:
            BadInput: the model has no place for it.
        """
        return model

    def solve(
        self, model: nn.Module, release: Release, noise: float
    ) -> tuple[nn.Module, frozenset[str]]:
        """The model that an adversary evaluates who has solved the release for the draws in it.

        Args:
            model: what `equip` gave, in any mode.
            release: of a batch under that model.
            noise: `Defense.noise` of the release, of all stages together.

        Returns:
            A copy of the model in eval mode, in which the draws are fixed, and the names of
            parameters whose gradients have told by that all they know.
        """
        return model, frozenset()

    def ways(self) -> int:
        """The number of ways, equally likely, in which an image may be shown to the model."""
        return 1

    def view(self, images: Tensor, way: int) -> Tensor:
        """Images (B, C, H, W) in [0, 1] as shown to the model in one of the `ways`.

        Differentiable nearly everywhere.
        """
        return images
