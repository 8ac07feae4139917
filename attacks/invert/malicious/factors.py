"""By how much a defense scales what each example adds to a release, as clipping does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.meter import spend
from attacks.invert.matching.objective import replay
from defenses import Gradients, Release
from defenses.gradients import flat
from victims import per_example_gradients

CHUNK_VALUES = 2**22
"""Gradients are taken so many values at a time (16 MiB)."""
APART = 1e6
"""Where a gradient so many times as large or as small is scaled alike, nothing is clipped."""


def example_factors(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """What examples add to the sum behind a release, over their gradients where it is seen.

    Under a defense whose replay is linear nothing is computed but one gradient.

    Args:
        model: that made the release.
        loss: the victim's.
        release: of a mean over examples.
        threat: whose adversary asks; a naive one reckons with no defense.
        images: (n, C, H, W) on the model's device, n >= 1.
        labels: (n,) of each.

    Returns:
        (n,) float64; 1 where all gradients are added as they are.
    """
    spend(1)
    first = per_example_gradients(model, loss, images[:1], labels[:1].to(images.device))
    little, much = ({k: g * by for k, g in first.items()} for by in (1 / APART, APART))
    low, high = (flat(replay(g, release, threat)).double() for g in (little, much))
    if bool((high - APART**2 * low).norm() <= 1e-3 * high.norm()):
        return torch.ones(len(images), dtype=torch.float64)
    values = sum(p.numel() for p in model.parameters() if p.requires_grad)
    found = []
    for few in torch.arange(len(images)).split(max(1, CHUNK_VALUES // max(1, values))):
        spend(len(few))
        own = labels[few].to(images.device)
        grads = per_example_gradients(model, loss, images[few], own)
        found += [
            _factor({k: g[i : i + 1] for k, g in grads.items()}, release, threat)
            for i in range(len(few))
        ]
    return torch.tensor(found, dtype=torch.float64)


def _factor(grads: Gradients, release: Release, threat: Threat) -> float:
    """Of one example: its part of a mean over the batch, over what is seen of its gradient."""
    added = replay(grads, release, threat)
    own = flat({k: grads[k][0] for k in added}).double()
    given = flat(added).double()
    seen = own.square()[given != 0].sum()
    return threat.batch_size * float(given @ own) / float(seen.clamp(min=1e-300))
