"""Small pure operations on dicts of gradients that defenses are composed of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from defenses.outer import Outer

Factored = Mapping[str, Tensor | Outer]
"""`Gradients` of which some are known by their factors."""


def masked(grads: Factored, mask: Mapping[str, Tensor]) -> dict[str, Tensor | Outer]:
    """The gradients with all coordinates zero that ``mask`` does not keep."""
    return {k: g.masked(mask[k]) if isinstance(g, Outer) else g * mask[k] for k, g in grads.items()}


def squared_norms(grads: Factored) -> Tensor:
    """(B,) squared L2 norm of each example's gradient over all parameters together."""
    parts = [
        g.squared_norms() if isinstance(g, Outer) else _dots(g.flatten(1)) for g in grads.values()
    ]
    return torch.stack(parts).sum(0)


def _dots(rows: Tensor) -> Tensor:
    """(B,) squared norms of (B, n) rows without storing the squares."""
    return (rows[:, None] @ rows[:, :, None])[:, 0, 0]


def clip_factors(grads: Factored, bound: float) -> Tensor:
    """(B,) min(1, bound / norm) of each example (Abadi et al. 2016, Algorithm 1)."""
    # Clamped before the root: the same factor, and finite slopes for a gradient of zero.
    return bound / squared_norms(grads).clamp(min=bound**2).sqrt()


def clipped_sum(grads: Factored, bound: float) -> dict[str, Tensor]:
    """Sum over the examples, each clipped to L2 norm ``bound``; no clipped copy is stored."""
    factors = clip_factors(grads, bound)
    return {
        k: g.weighted_sum(factors) if isinstance(g, Outer) else torch.tensordot(factors, g, 1)
        for k, g in grads.items()
    }


def add_noise(
    update: Mapping[str, Tensor], std: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """``update`` plus N(0, std^2) on every coordinate.

    Noise is drawn on the CPU, so that the same generator gives the same release on any device.
    """
    if std == 0:
        return dict(update)
    noisy = {}
    for name, value in update.items():
        draw = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        noisy[name] = value + std * draw.to(value.device)
    return noisy


def random_mask(
    like: Mapping[str, Tensor], drop: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Masks (True = kept) that drop exactly ``int(drop * P)`` of the P coordinates together."""
    return split(random_keep(sum(v.numel() for v in like.values()), drop, generator), like)


def random_keep(total: int, drop: float, generator: torch.Generator) -> Tensor:
    """(total,) bool on the CPU, False for ``int(drop * total)`` coordinates chosen at random."""
    keep = torch.ones(total, dtype=torch.bool)
    keep[torch.randperm(total, generator=generator)[: int(drop * total)]] = False
    return keep


def split(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut a (P,) tensor into pieces shaped and placed like ``like``, in its order."""
    pieces = flat.split([v.numel() for v in like.values()])
    return {
        name: piece.reshape(v.shape).to(v.device)
        for (name, v), piece in zip(like.items(), pieces, strict=True)
    }
