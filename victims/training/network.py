"""The part of a model that a training moves, and the gradients of its examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from defenses import BadInput, Defense, Gradients, Summed, stream
from defenses.errors import one_line
from defenses.precision import full_precision
from defenses.randomness import seeded
from victims.gradients import refuse_batchnorm
from victims.gradients.implicit_gradients import ImplicitGradients
from victims.gradients.logits_at import logits_at
from victims.gradients.ordinary import ordinary
from victims.models.frozen import Featurised, on_features
from victims.training.contributions import sum_together, take_each
from victims.training.scenario import Training


class Network:
    """The trainable part of a victim's model, on its device and in training mode.

    Args:
        training: names model and defense, for messages.
        defense: decides which gradients are taken, and how.
        model: moved to ``device``; of a `Featurised` model the part behind the features.
        inputs: (N, C, H, W) private images or features, on which the model is tried.
        labels: (N,) int64.
        device: where the gradients are taken.

    Attributes:
        module: logits from inputs.
        parameters: those that train, by name.
        linear: whether the defense needs no more than the sum of a batch's gradients.
        implicit: gives the gradients by their factors; None where the defense takes tensors.
        outer: layers whose gradients a vmap gives by their factors, see `victims.gradients`.
        device: where it lies.

    Raises:
        BadInput: BatchNorm under a defense that needs per-example gradients, or a model that
            cannot be trained.
    """

    def __init__(
        self,
        training: Training,
        defense: Defense,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        device: str,
    ) -> None:
        self.name, self.device = training.model, device
        self.module = on_features(model) if isinstance(model, Featurised) else model
        self.linear = isinstance(defense, Summed) and defense.linear
        if not self.linear:
            refuse_batchnorm(self.module, training.defense)
        self.parameters = {k: p for k, p in self.module.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise BadInput(f"model {training.model!r} has no trainable parameter")
        self.outer: list[str] = []
        self.implicit: ImplicitGradients | None = None
        if not len(inputs):
            return
        if not ordinary(self.module):
            self.rehearse(inputs[:2].to(device), labels[:2].to(device))
        summed = isinstance(defense, Summed) and defense.takes_factors()
        if summed and training.views == 1:
            examples = inputs[:2].to(device), labels[:2].to(device)
            self.implicit = ImplicitGradients(self.module, cross_entropy, *examples)
            self.outer = self.implicit.outer

    def rehearse(self, images: Tensor, labels: Tensor) -> None:
        """Take a few examples' gradients and throw them away; buffers are as before.

        Raises:
            BadInput: the model cannot be trained, said before anything is written.
        """
        buffers = {k: v.clone() for k, v in self.module.named_buffers()}
        try:
            with seeded(stream(0, "rehearsal")):
                for _ in self.chunks(images, labels):
                    pass
        except BadInput:
            raise
        except Exception as error:  # a model of the user's own may say anything
            said = f"{type(error).__name__}: {one_line(error, 200)}"
            raise BadInput(f"model {self.name!r} cannot be trained: {said}") from error
        with torch.no_grad():
            for name, value in self.module.named_buffers():
                value.copy_(buffers[name])

    def chunks(self, images: Tensor, labels: Tensor) -> Iterable[Gradients]:
        """Per-example gradients a chunk at a time, or their sum where that will do."""
        if self.linear:
            return sum_together(self.module, self.parameters, images, labels)
        if self.implicit is not None:
            return cast("Iterable[Gradients]", self.implicit.chunks(images, labels))
        return take_each(self.module, images, labels)

    @full_precision()
    def total(
        self,
        defense: Summed,
        plan: Mapping[str, Any],
        images: Tensor,
        labels: Tensor,
        extra: Gradients | None = None,
    ) -> dict[str, Tensor]:
        """The batch's contributions under a defense, summed chunk by chunk.

        Args:
            defense: informed of what it wants to know.
            plan: of the step, from ``defense.plan``.
            images: (B, C, H, W) images, (B, K, C, H, W) views of them, or features.
            labels: (B,) int64.
            extra: per-example gradients that join the batch's, name -> (k, *shape).
        """
        total: dict[str, Tensor] = {}
        for part in chain(self.chunks(images, labels), [extra] if extra else []):
            given = defense.contribute(part, plan)
            total = _added(total, given) if total else given
        nothing = {k: torch.zeros_like(p) for k, p in self.parameters.items() if k not in total}
        return {**nothing, **total} if nothing else total

    def weights(self) -> dict[str, Tensor]:
        """A copy of the trained parameters."""
        return {k: p.detach().clone() for k, p in self.parameters.items()}

    @torch.no_grad()
    def put(self, weights: Mapping[str, Tensor]) -> None:
        """Set the trained parameters to ``weights``, from `weights`."""
        for name, parameter in self.parameters.items():
            parameter.copy_(weights[name])

    @torch.no_grad()
    def correct(
        self, weights: dict[str, Tensor], inputs: Tensor, labels: Tensor, batch: int = 512
    ) -> int:
        """How many of (M, ...) inputs the network classifies right with these weights."""
        self.module.eval()
        right = 0
        for x, y in zip(inputs.split(batch), labels.split(batch), strict=True):
            images = x.to(self.device, copy=True)  # a layer may work in place
            logits = logits_at(self.module, weights, images)
            right += int((logits.argmax(1).cpu() == y).sum())
        self.module.train()
        return right


def _added(total: Mapping[str, Tensor], part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sums of what both have, and what one of them has."""
    both = [k for k in total if k in part]
    sums = torch._foreach_add([total[k] for k in both], [part[k] for k in both])
    return {**total, **part, **dict(zip(both, sums, strict=True))}
