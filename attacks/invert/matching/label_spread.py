"""What the images of a batch vary by at the logits, where it helps to count labels."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.label_counts import MANY
from attacks.invert.matching.label_templates import count_labels, slopes_by_label

OWN = 64
"""Batches of its own images whose labels an adversary counts in both ways."""


def spread_that_helps(
    model: nn.Module, loss: Loss, templates: Tensor, threat: Threat
) -> Tensor | None:
    """(classes, classes) covariance of a batch's bias gradient at given labels.

    It is that of all auxiliary images under each label. A network that has learned gives images of
    different classes different slopes, so that what they vary by is the labels themselves: the
    adversary counts batches of its own images, whose labels it knows, with the covariance and
    without, and takes it where more are right.

    Args:
        model: the victim.
        loss: the victim's.
        templates: (classes, classes), of the bias, what one example of each label adds.
        threat: ``auxiliary_images`` and their labels, ``classes`` and ``batch_size`` are used.

    Returns:
        None where it does not help, or there are more than `MANY` classes.
    """
    if len(templates) > MANY:
        return None
    slopes = torch.stack(list(slopes_by_label(model, loss, threat)))
    alone = _mean_covariance(slopes, torch.ones(len(slopes)))
    if _wrong(slopes, threat, threat.batch_size * alone) > _wrong(slopes, threat, None):
        return None
    middle = slopes.mean(1)
    scales = (templates * middle).sum(1) / middle.square().sum(1).clamp(min=1e-30)
    return threat.batch_size * _mean_covariance(slopes, scales)


def _mean_covariance(slopes: Tensor, scales: Tensor) -> Tensor:
    """(classes, classes) mean over labels of the slopes' covariance, each label's scaled."""
    each = [s**2 * torch.cov(own.T, correction=0) for own, s in zip(slopes, scales, strict=True)]
    return torch.stack(each).mean(0)


def _wrong(slopes: Tensor, threat: Threat, spread: Tensor | None) -> int:
    """How many labels of own batches are counted wrongly, all together.

    Args:
        slopes: (classes, N, classes), of each auxiliary image under each label.
        threat: see `spread_that_helps`.
        spread: see `count_labels`.
    """
    labels = threat.auxiliary_labels.to(slopes.device)
    own = slopes[labels, torch.arange(len(labels), device=slopes.device)]
    few = dataclasses.replace(threat, batch_size=min(threat.batch_size, len(labels)))
    wrong = 0
    parts = zip(own.split(few.batch_size), labels.cpu().split(few.batch_size), strict=True)
    for shown, truth in list(parts)[:OWN]:
        part = dataclasses.replace(few, batch_size=len(truth))
        found = count_labels(slopes.mean(1), shown.sum(0), part, spread)
        counts = (torch.bincount(each, minlength=len(slopes)) for each in (found, truth))
        one, other = counts
        wrong += int((one - other).abs().sum())
    return wrong
