"""What the examples of a batch give to a defense: a chunk at a time, or their sum at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from defenses import Gradients, preprocessing
from defenses.checks import check_finite
from defenses.finite import all_finite, leave_out_unfinite
from defenses.precision import full_precision
from victims.gradients import gradient_chunks
from victims.training.forward import training_logits


def take_each(net: nn.Module, images: Tensor, labels: Tensor) -> Iterable[Gradients]:
    """Per-example gradients, name -> (k, *shape), of k examples at a time.

    Args:
        net: logits from images.
        images: (B, C, H, W), or (B, K, C, H, W) views, or features.
        labels: (B,) int64.
    """
    return gradient_chunks(net, cross_entropy, images, labels)


def sum_together(
    net: nn.Module, parameters: Mapping[str, nn.Parameter], images: Tensor, labels: Tensor
) -> Iterable[Gradients]:
    """The sum of a batch's gradients, name -> (1, *shape), from one backward pass.

    One that is not finite hides which examples it is of; they are then taken each by itself, so
    that the others count, as they do for a defense that looks at single examples.

    Raises:
        BadInput: no example of the batch has a finite gradient, or it cannot be known which: the
            training has diverged. Only a defense that guarantees nothing comes here, so nothing is
            told that a guarantee covers.
    """
    if not len(images):
        return []
    total = batch_sum(net, parameters, images, labels)
    if all_finite(total.values()):
        return [total]
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules()):
        check_finite(total)
    rest, count = {k: torch.zeros_like(v) for k, v in total.items()}, 0
    for part in take_each(net, images, labels):
        finite: Any = leave_out_unfinite(part)
        count += len(next(iter(finite.values())))
        rest = {k: v + finite[k].sum(0, keepdim=True) for k, v in rest.items()}
    if not count:
        check_finite(total)
    return [rest]


@full_precision()
def batch_sum(
    net: nn.Module, parameters: Mapping[str, nn.Parameter], images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """(1, *shape) sum of the batch's gradients from one backward pass, by name."""
    flat = images.flatten(0, 1) if images.ndim == 5 else images
    views = len(flat) // len(images)
    loss = cross_entropy(training_logits(net, flat), labels.repeat_interleave(views))
    loss = loss + preprocessing.take_penalty(net)
    grads = torch.autograd.grad(
        loss, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    sums = torch._foreach_mul(grads, len(images))
    return {k: g[None] for k, g in zip(parameters, sums, strict=True)}
