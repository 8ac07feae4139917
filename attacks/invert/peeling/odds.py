"""How likely each gate of a convolution is open, given what is known of its input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.peeling.top import Top

SWEEPS = 4
"""Over all windows, each given the others."""
LEAST = 1e-4
"""Chance that no gate is denied before the release is looked at."""


@dataclass(frozen=True)
class Odds:
    """What is believed of the gates before the release is looked at.

    Attributes:
        open: (O, n) log chance that the gate at a place is open, and the only one of its window.
        shut: (O, W) log chance that no gate of a window is; a place that no pooling looks at is a
            window by itself.
    """

    open: Tensor
    shut: Tensor

    @classmethod
    def of(cls, top: Top, shares: Tensor, certain: Tensor | None) -> Odds:
        """From chances (O, n) that gates are open, none of them sure.

        Args:
            top: what the release says.
            shares: (O, n).
            certain: (O, W) bool, windows that are known to let something through.
        """
        total = torch.stack([shares[:, at].sum(1) for at in windows_of(top)], 1)
        shut = (1 - total).clamp(min=LEAST).log()
        if certain is not None:
            shut = torch.where(certain[:, : shut.shape[1]], -torch.inf, shut)
        return cls(shares.clamp(min=LEAST).log().float(), shut.float())


def windows_of(top: Top) -> list[Tensor]:
    """The places of each pooling window; each place by itself where gates are those of a ReLU."""
    if top.windows is None:
        return list(torch.arange(len(top.places), device=top.slope.device)[:, None])
    return [member.nonzero()[:, 0] for member in top.members.T]


def by_outputs(
    top: Top, outputs: Tensor, error: float, certain: Tensor | None, relu: bool
) -> Tensor:
    """(O, n) chances that gates are open, by outputs with errors.

    Args:
        top: what the release says.
        outputs: (O, n) what decides on the gates: the largest of a window is let through, or what
            is above 0.
        error: standard deviation of these.
        certain: see `Odds.of`.
        relu: whether nothing below 0 comes through.
    """
    shares = torch.zeros_like(outputs)
    level = torch.where(top.slope != 0, outputs / max(error, 1e-300), -torch.inf)
    for window, at in enumerate(windows_of(top)):
        none = level.new_zeros(len(level), 1)
        sure = none.bool() if certain is None else certain[:, window, None]
        none = none.masked_fill(sure, -torch.inf) if relu else none - torch.inf
        shares[:, at] = torch.cat([level[:, at], none], 1).softmax(1)[:, :-1].nan_to_num(0)
    return shares


def shares_of(
    top: Top,
    slope: Tensor,
    odds: Odds,
    products: Tensor,
    pulls: Tensor,
    noise: Tensor,
    start: Tensor | None = None,
) -> Tensor:
    """(O, n) chances that gates are open, by mean field: each window given the others.

    Args:
        top: what the release says.
        slope: (O, n) float32, of open gates.
        odds: before the release.
        products: (O, n, n), expected products of two patches; see `Moments.of_patches`.
        pulls: (O, n), of a patch and the gradient.
        noise: (O,) variance of what patches leave of the gradient.
        start: (O, n), where to begin; None: the odds.
    """
    shares = torch.where(slope != 0, odds.open.exp() if start is None else start, 0)
    opened, scale, windows = slope * shares, (1 / (2 * noise))[:, None], windows_of(top)
    for _ in range(SWEEPS):
        for window, at in enumerate(windows):
            opened[:, at] = 0
            rest = pulls[:, at] - (products[:, at] @ opened[:, :, None])[..., 0]
            size = slope[:, at]
            cost = scale * (size.square() * products[:, at, at] - 2 * size * rest)
            level = torch.where(size != 0, odds.open[:, at] - cost, -torch.inf)
            level = torch.cat([level, odds.shut[:, window, None]], 1)
            found = level.softmax(1)[:, :-1].nan_to_num(0)
            shares[:, at], opened[:, at] = found, size * found
    return shares


def slope_products(top: Top, slope: Tensor, shares: Tensor) -> Tensor:
    """(O, n, n) expected products of two slopes: of a window one at most is not 0."""
    opened = slope * shares
    products = opened[:, :, None] * opened[:, None]
    for at in windows_of(top):
        products[:, at[:, None], at[None]] = torch.diag_embed(slope[:, at].square() * shares[:, at])
    return products
