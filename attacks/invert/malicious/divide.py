"""Images from rows of a gradient, each of which sums over all images above its threshold."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 3e-7
"""Error of an entry without noise, relative to the largest."""
SURE = 5.0
"""Rows differ when they do so by this many standard deviations more than noise alone."""
SPREAD = 0.05
"""Relative error of a slope that is told by brightness: a bin has a width, and a mask leaves only
some pixels to measure it by."""


@dataclass(frozen=True)
class Level:
    """Neighbouring rows between which no image lies, so that all of them say the same.

    Attributes:
        mean: (D + 1,) of their entries that are seen, the bias last.
        count: (D + 1,) how many entries that is of.
        first: number of the first of these rows.
        last: number of the last one.
    """

    mean: Tensor
    count: Tensor
    first: int
    last: int


def levels(rows: Tensor, seen: Tensor, std: float) -> list[Level]:
    """Neighbouring rows that agree on what is seen of both, put together.

    Args:
        rows: (K, D + 1) float64, gradients of the rows' weights and, last, of their biases.
        seen: (K, D + 1) bool.
        std: of the error of every entry.
    """
    found: list[Level] = []
    for number, (row, shown) in enumerate(zip(rows, seen, strict=True)):
        own = Level(row * shown, shown.to(row), number, number)
        if found and not _differ(found[-1], own, std):
            before = found.pop()
            count = before.count + own.count
            mean = (before.mean * before.count + own.mean * own.count) / count.clamp(min=1)
            own = Level(mean, count, before.first, number)
        found.append(own)
    return found


def divide(
    found: list[Level], thresholds: Tensor, std: float, most: int, usual: tuple[Tensor, float]
) -> Tensor:
    """The image between every two levels: what they differ by, divided by what their biases do.

    That is Fowl et al. (2022), equation 5. Where the bias is masked, or noisier than that, its
    slope is told by the image's brightness, which lies between the thresholds of its bin. What is
    not seen of both levels, and what is lost in noise, is usual.

    Args:
        found: levels, thresholds ascending.
        thresholds: (K,) of the rows, of the mean over pixels.
        std: of the error of every entry.
        most: at most so many images, those of the greatest slopes.
        usual: (D,) the mean of images, and the variance of a pixel.

    Returns:
        (n, D), n <= ``most``.
    """
    if not found:
        return usual[0].new_zeros(0, len(usual[0]))
    mean, variance = usual
    every = torch.full_like(found[-1].mean, torch.inf)  # above all thresholds no image is left
    end = Level(torch.zeros_like(found[-1].mean), every, len(thresholds), len(thresholds))
    above = [*found[1:], end]
    images, slopes = [], []
    for low, high in zip(found, above, strict=True):
        if not _differ(low, high, std):
            continue
        both = (low.count > 0) & (high.count > 0)
        step = (low.mean - high.mean) * both
        error = std**2 * (1 / low.count.clamp(min=1) + 1 / high.count.clamp(min=1))
        edges = thresholds[[low.last, min(high.first, len(thresholds) - 1)]]
        slope = _slope(step, error, both, float(edges.mean()))
        if slope == 0:
            continue
        certain = variance / (variance + error[:-1] / slope**2) * both[:-1]
        images.append(mean + certain * (step[:-1] / slope - mean))
        slopes.append(abs(slope))
    order = torch.tensor(slopes).argsort(descending=True, stable=True)[:most].sort().values
    return torch.stack([images[i] for i in order]) if len(order) else mean.new_zeros(0, len(mean))


def _slope(step: Tensor, error: Tensor, both: Tensor, brightness: float) -> float:
    """The slope of the image between two levels, by the bias or by its brightness."""
    pixels = both[:-1]
    by_bias = float(step[-1])
    if not bool(pixels.any()) or brightness <= 0:
        return by_bias if bool(both[-1]) else 0.0
    count = int(pixels.sum()) * brightness
    by_light = float(step[:-1].sum()) / count
    noise = float((error[:-1] * pixels).sum()) / count**2 + (SPREAD * by_light) ** 2
    return by_bias if bool(both[-1]) and float(error[-1]) <= noise else by_light


def _differ(low: Level, high: Level, std: float) -> bool:
    """Whether two levels differ by more than the error of their entries."""
    both = (low.count > 0) & (high.count > 0)
    count = int(both.sum())
    error = std**2 * (1 / low.count.clamp(min=1) + 1 / high.count.clamp(min=1))
    square = float(((low.mean - high.mean).square() / error)[both].sum())
    return bool(square > count + SURE * (2 * count) ** 0.5 + SURE**2)
