"""Small pure operations on dicts of gradients that defenses are composed of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.linalg import vector_norm

from defenses.finite import blank_others
from defenses.outer import Factored, Outer, rows
from defenses.secrecy import SecretGenerator, normal

BLOCK = 256
"""Coordinates whose squares are added in the gradients' own type; more would add up its errors."""
ROUNDINGS = 4
"""By how many roundings a clipped gradient stays below the bound: the norm's, the factor's and
the product's."""


def apply_mask(grads: Factored, mask: Mapping[str, Tensor]) -> dict[str, Tensor | Outer]:
    """The gradients with all coordinates zero that ``mask`` does not keep."""
    return {
        k: g.apply_mask(mask[k]) if isinstance(g, Outer) else g * mask[k] for k, g in grads.items()
    }


def flat(update: Mapping[str, Tensor]) -> Tensor:
    """(P,) all coordinates of an update, in the order of its names; `split` is the way back."""
    return torch.cat([value.flatten() for value in update.values()])


def squared_norms(grads: Factored) -> Tensor:
    """(B,) float64 squared L2 norm of each example's gradient over all parameters together.

    The norm's relative error is at most a few roundings of the gradients' own type, however many
    coordinates there are: a bound on the sensitivity is worth as much as the norms it rests on.
    """
    parts = [
        g.squared_norms() if isinstance(g, Outer) else _squares(rows(g)) for g in grads.values()
    ]
    return torch.stack(parts).sum(0)


def _squares(values: Tensor) -> Tensor:
    """(B,) float64 squared norms of (B, n) rows."""
    kind = torch.promote_types(values.dtype, torch.float32)
    whole = values.shape[1] // BLOCK * BLOCK
    blocks, rest = values[:, :whole].unflatten(1, (-1, BLOCK)), values[:, whole:]
    if values.requires_grad:  # a norm has no second derivative where a block is zero
        parts = [blocks.to(kind).square().sum(2), rest.to(kind).square().sum(1, keepdim=True)]
        return torch.cat(parts, 1).sum(1, dtype=torch.float64)
    norms = [
        vector_norm(blocks, dim=2, dtype=kind),
        vector_norm(rest, dim=1, keepdim=True, dtype=kind),
    ]
    return torch.cat(norms, 1).double().square().sum(1)


def clip_factors(grads: Factored, bound: float) -> Tensor:
    """(B,) float64 min(1, bound / norm) of each example (Abadi et al. 2016, Algorithm 1).

    Less by a few roundings where it clips, so that what is clipped is never longer than ``bound``.
    0 where the norm is not finite.
    """
    kind = min((_kind(g) for g in grads.values()), key=lambda k: torch.finfo(k).bits)
    within = bound * (1 - ROUNDINGS * torch.finfo(kind).eps)
    # Clamped before the root: the same factor, and finite slopes for a gradient of zero.
    factors = within / squared_norms(grads).clamp(min=within**2).sqrt()
    return torch.where(factors.isnan(), 0, factors)


def clipped_sum(grads: Factored, bound: float) -> dict[str, Tensor]:
    """Sum over the examples, each clipped to L2 norm ``bound``; no clipped copy is stored.

    At least in float32: half precision would round a sum over many by more than one of them adds,
    and small factors by more than a tenth. An example whose norm is not finite adds nothing; while
    an adversary differentiates candidates, NaN stays NaN.
    """
    factors = clip_factors(grads, bound)
    if not factors.requires_grad:
        grads = blank_others(grads, factors > 0)  # for 0 times infinity is NaN
    return {
        k: g.weighted_sum(factors) if isinstance(g, Outer) else _weighted_sum(g, factors)
        for k, g in grads.items()
    }


def _weighted_sum(grad: Tensor, factors: Tensor) -> Tensor:
    kind = torch.promote_types(grad.dtype, torch.float32)
    total: Tensor = torch.tensordot(factors.to(kind), grad.to(kind), 1)
    return total


def _kind(grad: Tensor | Outer) -> torch.dtype:
    return grad.slope.dtype if isinstance(grad, Outer) else grad.dtype


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
        # Rounded before it hides something, noise falls on some numbers and never on others, and
        # which ones a release falls on tells what was hidden (Mironov 2012).
        kind = torch.float64 if isinstance(generator, SecretGenerator) else value.dtype
        draw = normal(value.shape, kind, generator)
        noisy[name] = (value + std * draw.to(value.device)).to(value.dtype)
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
