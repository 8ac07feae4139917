"""Defenses that act before there is a gradient: on the model, or on the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from defenses.bases.summed import Linear
from defenses.contract import Release


@dataclass(frozen=True)
class Before(Linear):
    """A defense that changes the model, the images, or both, and sends the mean gradient.

    A subclass overrides `fitted` and `solved`, or `ways` and `shown`. What it does to one example
    must not depend on another one, so that in a chain it may stand anywhere and leaves the
    guarantee of the others alone: ``dpsgd+ats``.
    """

    def fitted(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
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

    def solved(
        self, model: nn.Module, release: Release, noise: float
    ) -> tuple[nn.Module, frozenset[str]]:
        """What an adversary evaluates who has solved the release for the model's draws.

        Args:
            model: `fitted`, in any mode.
            release: of a batch under it.
            noise: `Defense.noise` of the release, of all stages together.

        Returns:
            A copy of the model in eval mode, in which the draws are fixed, and the names of
            parameters whose gradients have told by that all they know.
        """
        return model, frozenset()

    def ways(self) -> int:
        """In how many ways, equally likely, an image may be shown to the model."""
        return 1

    def shown(self, images: Tensor, way: int) -> Tensor:
        """Images (B, C, H, W) in [0, 1] shown in one of the `ways`; differentiable nearly
        everywhere."""
        return images
