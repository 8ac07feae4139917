"""What rebuilt images would have caused in a planted model, beside what was released."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from attacks.invert.contract import Loss
from attacks.invert.malicious.imprint_block import ImprintBlock
from attacks.invert.matching.meter import spend
from attacks.invert.matching.share_labels import share_labels
from defenses import Release
from defenses.eager import eager
from defenses.gradients import flat

Factors = Callable[[Tensor, Tensor], Tensor]
"""images (n, C, H, W), labels (n,) -> (n,) float64, see
`attacks.invert.malicious.factors.example_factors`."""

EXACT = 1e-3
"""A slope is explained by a label whose own differs by less, relative: float32 alone leaves some
1e-6, a label that is wrong above 1e-2."""
CLEARLY = 10
"""Times as far off is every other label."""


def name_by_slopes(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    slopes: Tensor,
    labels: Tensor,
    classes: int | None,
    factors: Factors,
) -> tuple[Tensor, Tensor]:
    """Which label goes with which image: those under which the images have the slopes found.

    What every row of the block passes on is added to all pixels, so that an image's slope is the
    sum of the loss's slopes at its pixels, under each label another. Where a slope is that of one
    label within `EXACT` and of no other within `CLEARLY` times as much, it alone tells the label,
    whatever `labels` has: a mask misleads what counts those. Images whose slopes are not exact
    (noise, missing pixels) share the others of `labels` by least misfit, and images that were not
    found have what is left.

    Args:
        model: planted; see `attacks.invert.malicious.imprint_block.plant`.
        loss: the victim's.
        images: (n, C, H, W) on the model's device, 1 <= n <= B: those that were found.
        slopes: (n,) of each image, of the mean loss over the batch.
        labels: (B,) those of the batch, in any order.
        classes: among which labels are sought; None: `labels` are known and stay as they are.
        factors: of examples with labels, by which their slopes are scaled.

    Returns:
        (B,) labels, as given where they are known and ascending otherwise, and (B,) the image of
        each, of which those from n on were not found.
    """
    every = labels.unique().tolist() if classes is None else range(classes)
    found, size = len(images), len(labels)
    slope_of = torch.stack(
        [
            _slopes(model, loss, images, int(label)).cpu()
            * factors(images, torch.full((found,), int(label)))
            for label in every
        ]
    ) * (found / size)
    misfit = (slope_of - slopes.to(slope_of)).abs()
    if classes is None:
        rows = misfit[torch.searchsorted(labels.unique(), labels)]
        return labels, share_labels(rows).to(images.device)
    least, next_least = misfit.topk(min(2, classes), dim=0, largest=False).values[[0, -1]]
    told = (least < EXACT * slopes.to(least).abs()) & (next_least > CLEARLY * least)
    named = misfit.argmin(0)
    left = labels.tolist()
    for label in named[told].tolist():
        if label in left:
            left.remove(label)
    if not bool(told.all()):
        others = torch.as_tensor(left)
        row, column = linear_sum_assignment(misfit[others][:, ~told].numpy())
        named[(~told).nonzero()[:, 0][column]] = others[row]
        left = [label for place, label in enumerate(left) if place not in row]
    named = torch.cat([named, torch.as_tensor(left[: size - found], dtype=named.dtype)])
    order = named.argsort(stable=True)
    return named[order], order.to(images.device)


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
    factors: Factors,
) -> float:
    """The share of a release, by norm, that the mean gradient of a batch leaves at its best scale.

    Args:
        model: that made the release.
        loss: the victim's.
        release: part of a mean gradient, up to a scale.
        seen: name -> bool, which coordinates are shown.
        images: (B, C, H, W) on the model's device.
        labels: (B,) of each.
        factors: by which the gradients of the examples are scaled before their mean.
    """
    spend(len(images))
    weights = factors(images, labels)
    named = {k: p for k, p in model.named_parameters() if k in release.update}
    with eager(model):
        logits, own = model(images.clone()), labels.to(images.device)
        each = [loss(logits[i : i + 1], own[i : i + 1]) for i in range(len(images))]
        total = torch.stack(each) @ weights.to(logits) / len(images)
        grads = torch.autograd.grad(
            total, list(named.values()), allow_unused=True, materialize_grads=True
        )
    caused = flat({k: g * seen[k] for k, g in zip(named, grads, strict=True)}).double()
    observed = flat({k: release.update[k] * seen[k] for k in named}).double()
    scale = (caused @ observed) / caused.square().sum().clamp(min=1e-300)
    return float((observed - scale * caused).norm() / observed.norm().clamp(min=1e-300))
