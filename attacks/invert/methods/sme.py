"""The surrogate model between the weights before and after a client's local steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat, registry
from attacks.invert.matching.cosine import Compared, Cosine
from attacks.invert.matching.meter import spend
from attacks.invert.matching.objective import replay
from defenses import Release
from defenses.eager import eager
from defenses.gradients import flat
from defenses.options import option
from victims.gradients.logits_at import logits_at

PLACE_RATE = 0.01
"""Of the place between the weights."""


@registry.register("sme")
@dataclass(frozen=True)
class SME(Cosine):
    """1 - cos(replay(one gradient at w), r) + tv * TV(x), w sought with x (Zhu et al. 2023, SME).

    The weights w lie on the line from those before the local steps to those after, as the release
    shows them, and the gradient there of all images together stands for the sum of all steps: a
    few evaluations of one batch whatever the number of steps, and their order does not matter. It
    is wrong by as much as the path bends, which simulating the steps is not (every other attack
    by optimisation). Adam as in `geiping`. A gradient is the case without a line.
    """

    iterations: int = option(1000, "optimiser steps", low=1)

    def compared(
        self, model: nn.Module, loss: Loss, release: Release, threat: Threat, labels: Tensor
    ) -> Compared:
        """See `Cosine.compared`."""
        device = next(model.parameters()).device
        place = torch.tensor(0.0 if threat.local is None else 0.5, device=device)
        explain = _surrogate(model, loss, release, threat, labels)
        observed = flat(release.update).float()
        others = [] if threat.local is None else [(place, PLACE_RATE)]
        return Compared(lambda images: (explain(images, place), observed), others)


def _surrogate(
    model: nn.Module, loss: Loss, release: Release, threat: Threat, labels: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """(images (B, C, H, W), place in [0, 1]) -> (P,) float32, the update as the surrogate has it.

    Place 0 is the weights before the local steps, 1 those after them.
    """
    working = copy.deepcopy(model).float()
    start = {k: p for k, p in working.named_parameters() if p.requires_grad}
    labels = labels.to(next(iter(start.values())).device)
    scale = 1.0 if threat.local is None else threat.local.lr * threat.local.steps

    def explain(images: Tensor, place: Tensor) -> Tensor:
        spend(len(images))
        between = {k: p - place * release.update[k].float() for k, p in start.items()}
        with eager(working):
            value = scale * loss(logits_at(working, between, images.clone()), labels)
            slopes = torch.autograd.grad(
                value,
                list(between.values()),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        moved = {k: s[None] for k, s in zip(between, slopes, strict=True)}
        replayed = replay(moved, release, threat)
        return flat({k: replayed[k] for k in release.update})

    return explain
