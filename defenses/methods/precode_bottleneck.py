"""A variational bottleneck: features leave it through a code that is drawn at random."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

SMALLEST = 1e-12
"""No std is smaller, so that it has a logarithm."""


class Bottleneck(nn.Module):
    """``decoder(mean + std * draw)``; ``encoder(x)`` gives the mean, and the std by softplus.

    In training mode every row's draw is N(0, I) from torch's global generator; in eval mode it is
    the buffer ``draw``, which is zero until someone fixes it. Every pass leaves
    ``weight * KL(N(mean, std^2) || N(0, I))`` in bits, the mean over rows, in ``penalty``.

    Args:
        features: of the input and of the output, D.
        code: K.
        weight: of the divergence, >= 0.
    """

    draws = True
    draw: Tensor

    def __init__(self, features: int, code: int, weight: float) -> None:
        super().__init__()
        self.encoder = nn.Linear(features, 2 * code)
        self.decoder = nn.Linear(code, features)
        self.weight = weight
        self.penalty: Tensor | None = None
        self.register_buffer("draw", torch.zeros(code), persistent=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without the penalty, which belongs to a pass: copies start with none."""
        return {**self.__dict__, "penalty": None}

    def forward(self, features: Tensor) -> Tensor:
        """Args: features (B, D). Returns: (B, D)."""
        mean, std = self.code(self.encoder(features))
        if torch.is_grad_enabled():  # else nobody asks, and it would outlive the pass
            far = mean.square() + std.square() - 2 * std.log() - 1
            self.penalty = self.weight * far.sum(-1).mean() / (2 * math.log(2))
        draw = torch.randn_like(mean) if self.training else self.draw
        decoded: Tensor = self.decoder(mean + std * draw)
        return decoded

    @staticmethod
    def code(encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std (..., K) of the code, from what the encoder gives (..., 2 K)."""
        mean, spread = encoded.chunk(2, -1)
        return mean, softplus(spread).clamp(min=SMALLEST)
