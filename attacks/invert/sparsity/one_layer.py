"""What slopes one example can have behind a single ReLU layer, whose logits are linear in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.invert.contract import Threat

IMAGES = 24
"""Images that are looked at; an output that is on for none of them is not judged by."""
ALIKE = 1e-4
"""By how much what is the same for all images may differ, relative to the largest."""
FITS = 1e-2
"""Relative misfit of slopes by those that logits can cause."""


def slopes_of_logits(model: nn.Module, bias: str, threat: Threat) -> Tensor | None:
    """The slope of each logit at each output of a layer, where the ReLU behind it is on.

    Args:
        model: the victim.
        bias: name of the layer's bias.
        threat: of its auxiliary images the first `IMAGES` are looked at.

    Returns:
        (classes, m) float64, NaN where the ReLU was never on; None where it is not the same for
        all images: more than one layer lies behind.
    """
    parameter = model.get_parameter(bias)
    seen = []
    with torch.random.fork_rng(devices=[]):
        for image in threat.auxiliary_images[:IMAGES].to(parameter.device):
            logits = model(image[None])[0]
            rows = [torch.autograd.grad(one, parameter, retain_graph=True)[0] for one in logits]
            seen.append(torch.stack(rows).double())
    every = torch.stack(seen)
    on = (every != 0).any(1, keepdim=True).expand_as(every)
    high = torch.where(on, every, -torch.inf).amax(0)
    low = torch.where(on, every, torch.inf).amin(0)
    if float((high - low).max()) > ALIKE * float(every.abs().max()):
        return None
    return torch.where(torch.isfinite(high), high, torch.nan)


def can_be_slopes(told: Tensor) -> Callable[[Tensor], bool]:
    """Whether entries (m,) are one example's slopes: those of one vector at the logits, where on.

    Slopes of classes that are few are so alike that differences of two examples have as many zeros
    as they have; but where one of the two alone is on, signs differ.

    Args:
        told: (classes, m) as `slopes_of_logits` gives them, or these columns of it.
    """

    def fits(entries: Tensor) -> bool:
        on = (entries.abs() > FITS * entries.abs().max()) & ~told.isnan().any(0)
        if int(on.sum()) <= len(told):
            return True
        columns, wanted = told[:, on].T, entries[on, None]
        found = torch.linalg.lstsq(columns, wanted, driver="gelsd").solution
        return float((columns @ found - wanted).norm()) < FITS * float(wanted.norm())

    return fits
