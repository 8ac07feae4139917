"""What a participant learns from its own data between a download and an upload."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


@torch.no_grad()
def put(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set the model's trainable parameters to ``weights``."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(weights[name])


def difference_after(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    lr: float,
    batch: int,
    epochs: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The weights before local epochs of plain SGD minus those after them, name -> tensor.

    Minus what Shokri and Shmatikov (2015) call the parameters' change, so that it points as a
    gradient does, as in `victims.gradients.LocalSteps`.

    Args:
        model: logits from images; its parameters are overwritten.
        weights: parameter name -> where the participant begins.
        images: (n, C, H, W) in [0, 1].
        labels: (n,) int64.
        lr: learning rate.
        batch: examples in a step; the last one of an epoch may have fewer.
        epochs: passes over the data, each in an order of its own.
        generator: draws the orders.
    """
    put(model, weights)
    named = {k: p for k, p in model.named_parameters() if p.requires_grad}
    parameters: list[Tensor] = list(named.values())
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels), generator=generator).split(batch):
            loss = cross_entropy(model(images[chosen]), labels[chosen])
            slopes = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                torch._foreach_add_(parameters, slopes, alpha=-lr)
    return {k: weights[k] - p.detach() for k, p in named.items()}
