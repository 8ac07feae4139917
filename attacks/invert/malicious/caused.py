"""What rebuilt images would have caused in a planted model, beside what was released."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from attacks.invert.contract import Loss
from attacks.invert.malicious.imprint_block import ImprintBlock
from attacks.invert.matching.meter import spend
from defenses import Release
from defenses.eager import eager
from defenses.gradients import flat


def name_by_slopes(
    model: nn.Module, loss: Loss, images: Tensor, slopes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Which label goes with which image: those under which the images have the slopes found.

    What every row of the block passes on is added to all pixels, so that an image's slope is the
    sum of the loss's slopes at its pixels, under each label another.

    Args:
        model: planted; see `attacks.invert.malicious.imprint_block.plant`.
        loss: the victim's.
        images: (B, C, H, W) on the model's device.
        slopes: (B,) of each image, of the mean loss.
        labels: (B,) those of the batch, in any order.

    Returns:
        (B,) the labels in the order in which they were given, and (B,) the image of each.
    """
    every = labels.unique()
    slope_of = torch.stack([_slopes(model, loss, images, int(label)) for label in every])
    misfit = (slope_of - slopes.to(slope_of)).abs()
    rows = misfit[torch.searchsorted(every, labels).to(misfit.device)]
    _, order = linear_sum_assignment(rows.cpu().numpy())
    return labels, torch.as_tensor(order).to(images.device)


def _slopes(model: nn.Module, loss: Loss, images: Tensor, label: int) -> Tensor:
    """(B,) float64 slopes of a batch's mean loss at the brightness of each image, at one label."""
    block, inner = model.get_submodule("imprint"), model.get_submodule("model")
    assert isinstance(block, ImprintBlock)
    spend(len(images))
    with torch.no_grad():
        passed = block(images)
    passed.requires_grad_()
    with eager(model):
        total = loss(inner(passed), torch.full((len(images),), label, device=images.device))
        (slope,) = torch.autograd.grad(total, passed)
    summed: Tensor = slope.double().flatten(1).sum(1)
    return summed


def left_by_mean_gradient(
    model: nn.Module,
    loss: Loss,
    release: Release,
    seen: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
) -> float:
    """The share of a release, by norm, that the mean gradient of a batch leaves at its best scale.

    Args:
        model: that made the release.
        loss: the victim's.
        release: part of a mean gradient, up to a scale.
        seen: name -> bool, which coordinates are shown.
        images: (B, C, H, W) on the model's device.
        labels: (B,) of each.
    """
    spend(len(images))
    named = {k: p for k, p in model.named_parameters() if k in release.update}
    with eager(model):
        total = loss(model(images.clone()), labels.to(images.device))
        grads = torch.autograd.grad(
            total, list(named.values()), allow_unused=True, materialize_grads=True
        )
    caused = flat({k: g * seen[k] for k, g in zip(named, grads, strict=True)}).double()
    observed = flat({k: release.update[k] * seen[k] for k in named}).double()
    scale = (caused @ observed) / caused.square().sum().clamp(min=1e-300)
    return float((observed - scale * caused).norm() / observed.norm().clamp(min=1e-300))
