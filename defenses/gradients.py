"""Small pure operations on dicts of gradients that defenses are composed of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.linalg import vector_norm

from defenses.finite import leave_out_zero
from defenses.implicit import Implicit
from defenses.outer import Factored, rows
from defenses.secrecy import SecretGenerator, normal

BLOCK = 256
"""Coordinates whose squares are added in the gradients' own type; more would add up its errors."""
ROUNDINGS = 4
"""By how many roundings a clipped gradient stays below the bound: the norm's, the factor's and
the product's."""


def apply_mask(grads: Factored, mask: Mapping[str, Tensor]) -> dict[str, Tensor | Implicit]:
    """The gradients with all coordinates zero that ``mask`` does not keep."""
    return {
        k: g.apply_mask(mask[k]) if isinstance(g, Implicit) else g * mask[k]
        for k, g in grads.items()
    }


def flat(update: Mapping[str, Tensor]) -> Tensor:
    """(P,) all coordinates of an update, in the order of its names; `split` is the way back."""
    return torch.cat([value.flatten() for value in update.values()])


def squared_norms(grads: Factored) -> Tensor:
    """(B,) float64 squared L2 norm of each example's gradient over all parameters together.

    The norm's relative error is at most a few roundings of the gradients' own type, however many
    coordinates there are: a bound on the sensitivity is worth as much as the norms it rests on.
    Infinite where it is beyond that type, for tensors as for factors.
    """
    parts = [g.squared_norms()[:, None] for g in grads.values() if isinstance(g, Implicit)]
    dense = [rows(g) for g in grads.values() if not isinstance(g, Implicit)]
    sloped = [values for values in dense if values.requires_grad]
    # A norm has no second derivative where a block is zero.
    parts += [block.square().sum(-1).double() for v in sloped for block in _blocks(v)]
    norms = [
        vector_norm(block, dim=-1)
        for values in dense
        if not values.requires_grad
        for block in _blocks(values)
    ]
    if norms:
        parts.append(torch.cat(norms, 1).double().square().sum(1, keepdim=True))
    total = torch.cat(parts, 1).sum(1)
    # Squares of a tensor overflow in its own type, those of factors do not, being in double: an
    # example would be left out behind one door and clipped behind another.
    most = min(torch.finfo(torch.promote_types(g.dtype, torch.float32)).max for g in grads.values())
    return torch.where(total > most, torch.inf, total)


def _blocks(values: Tensor) -> list[Tensor]:
    """(B, n) rows as (B, k, BLOCK) and, where something is left, (B, 1, rest); float32 at least."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    whole = values.shape[1] // BLOCK * BLOCK
    blocks = [values[:, :whole].unflatten(1, (-1, BLOCK)), values[:, None, whole:]]
    return [block for block in blocks if block.shape[1] and block.shape[2]]


def clip_factors(grads: Factored, bound: float) -> Tensor:
    """(B,) float64 min(1, bound / norm) of each example (Abadi et al. 2016, Algorithm 1).

    Less by a few roundings where it clips, so that what is clipped is never longer than ``bound``.
    0 where the norm is not finite.
    """
    kind = min((g.dtype for g in grads.values()), key=lambda k: torch.finfo(k).bits)
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
        grads, factors = leave_out_zero(grads, factors)  # for 0 times infinity is NaN
    kinds = {torch.promote_types(g.dtype, torch.float32) for g in grads.values()}
    given = {kind: factors.to(kind) for kind in kinds}
    return {
        k: g.weighted_sum(factors) if isinstance(g, Implicit) else _weighted_sum(g, given)
        for k, g in grads.items()
    }


def _weighted_sum(grad: Tensor, given: Mapping[torch.dtype, Tensor]) -> Tensor:
    kind = torch.promote_types(grad.dtype, torch.float32)
    total = given[kind][None] @ rows(grad.to(kind))
    return total.reshape(grad.shape[1:])


def add_noise(
    update: Mapping[str, Tensor], std: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """``update`` plus N(0, std^2) on every coordinate.

    Noise is drawn on the CPU, so that the same generator gives the same release on any device.
    """
    if std == 0:
        return dict(update)
    # Rounded before it hides something, noise falls on some numbers and never on others, and
    # which ones a release falls on tells what was hidden (Mironov 2012).
    secret = isinstance(generator, SecretGenerator)
    draws = {
        k: normal(v.shape, torch.float64 if secret else v.dtype, generator)
        for k, v in update.items()
    }
    noisy = torch._foreach_add(list(update.values()), list(_sent(draws, std, update).values()))
    return {k: n.to(v.dtype) for (k, v), n in zip(update.items(), noisy, strict=True)}


def _sent(draws: Mapping[str, Tensor], std: float, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Numbers of the CPU times ``std`` where ``like`` lies; all of one type travel as one."""
    sent = {k: std * d for k, d in draws.items() if like[k].device == d.device}
    there = {k: d for k, d in draws.items() if k not in sent}
    for kind, device in {(d.dtype, like[k].device) for k, d in there.items()}:
        these = {k: d for k, d in there.items() if (d.dtype, like[k].device) == (kind, device)}
        whole = send(torch.cat([d.flatten() for d in these.values()]), device) * std
        sent |= split(whole, these)
    return {k: sent[k] for k in draws}


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, which is not waited for."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def random_mask(
    like: Mapping[str, Tensor], drop: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Masks (True = kept) that drop exactly ``int(drop * P)`` of the P coordinates together."""
    keep = random_keep(sum(v.numel() for v in like.values()), drop, generator)
    return split(send(keep, device_of(like)), like)


def device_of(like: Mapping[str, Tensor]) -> torch.device:
    """The device that tensors lie on; the CPU where there are none."""
    return next((v.device for v in like.values()), torch.device("cpu"))


def random_keep(total: int, drop: float, generator: torch.Generator) -> Tensor:
    """(total,) bool on the CPU, False for ``int(drop * total)`` coordinates chosen at random."""
    keep = torch.ones(total, dtype=torch.bool)
    keep[torch.randperm(total, generator=generator)[: int(drop * total)]] = False
    return keep


def split(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut a (P,) tensor into pieces shaped like ``like``, in its order, where ``flat`` lies."""
    pieces = flat.split([v.numel() for v in like.values()])
    return {
        name: piece.reshape(v.shape) for (name, v), piece in zip(like.items(), pieces, strict=True)
    }
