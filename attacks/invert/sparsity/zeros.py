"""Whether the slopes at a layer have zeros: asked of what runs, like everything of a model."""

from __future__ import annotations

import torch
from torch import nn

from attacks.invert.contract import Threat

IMAGES = 8
"""Images that are looked at."""
FEWEST = 0.05
"""Share of zeros below which they tell nothing."""


def leaves_zeros(model: nn.Module, bias: str, threat: Threat) -> bool:
    """Whether a ReLU, or what acts like one, stops the slope at many outputs of a layer.

    Args:
        model: the victim.
        bias: name of the layer's bias.
        threat: of its auxiliary images the first `IMAGES` are looked at.
    """
    parameter = model.get_parameter(bias)
    images = threat.auxiliary_images[:IMAGES].to(parameter.device)
    zeros = []
    with torch.random.fork_rng(devices=[]):
        for image in images:
            logits = model(image[None])[0]
            weights = torch.arange(len(logits)).to(logits)
            (slope,) = torch.autograd.grad(
                logits @ weights, [parameter], allow_unused=True, materialize_grads=True
            )
            zeros.append((slope == 0).double().mean())
    return bool(zeros) and FEWEST < float(torch.stack(zeros).mean()) < 1
