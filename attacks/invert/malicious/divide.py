"""Images from rows of a gradient, each of which sums over all images above its threshold."""

from __future__ import annotations

import itertools
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


@dataclass(frozen=True)
class Divided:
    """The images between levels.

    Attributes:
        images: (n, D).
        slopes: (n,) of each, as the bias of a row under it alone would show it.
    """

    images: Tensor
    slopes: Tensor


def divide(
    found: list[Level], thresholds: Tensor, std: float, most: int, usual: tuple[Tensor, float]
) -> Divided:
    """The image between every two levels: what they differ by, divided by what their biases do.

    That is Fowl et al. (2022), equation 5. Where the bias is masked, or noisier than that, its
    slope is told by the image's brightness, which lies between the thresholds of its bin. A pixel
    that is not seen of a level, or is lost in noise, is what is likeliest given all levels, if
    images are independent and normal around the usual one: of two images whose sum is seen, each
    has its share.

    Args:
        found: levels, thresholds ascending.
        thresholds: (K,) of the rows, of the mean over pixels.
        std: of the error of every entry.
        most: at most so many images, those of the greatest slopes.
        usual: (D,) the mean of images, and the variance of a pixel.

    Returns:
        n <= ``most`` images, darkest first.
    """
    mean, variance = usual
    kept: list[Level] = []
    told: list[float] = []
    every = torch.full((len(mean) + 1,), torch.inf).to(mean)  # above all no image is left
    end = Level(torch.zeros_like(every), every, len(thresholds), len(thresholds))
    for low, high in itertools.pairwise([*found, end]):
        if not _differ(low, high, std):
            continue
        both = (low.count > 0) & (high.count > 0)
        step = (low.mean - high.mean) * both
        error = std**2 * (1 / low.count.clamp(min=1) + 1 / high.count.clamp(min=1))
        edges = thresholds[[low.last, min(high.first, len(thresholds) - 1)]]
        slope = _slope(step, error, both, float(edges.mean()))
        if slope != 0:
            kept.append(low)
            told.append(slope)
    if not kept:
        return Divided(mean.new_zeros(0, len(mean)), mean.new_zeros(0))
    slopes = mean.new_tensor(told)
    images = _likeliest(kept, slopes, std, mean, variance)
    order = slopes.abs().argsort(descending=True, stable=True)[:most].sort().values
    return Divided(images[order], slopes[order])


def _likeliest(
    kept: list[Level], slopes: Tensor, std: float, mean: Tensor, variance: float
) -> Tensor:
    """(n, D) the images whose sums, each times its slope, from one on are the levels.

    Levels are a chain: each is the next one and its image, so the precision of their values at a
    pixel is tridiagonal, and one elimination upwards and one substitution down solve it.
    """
    weight = torch.stack([level.count[:-1] for level in kept]) / std**2
    seen = torch.stack([level.mean[:-1] for level in kept])
    each = (1 / (slopes.square() * variance))[:, None]
    usual = each * slopes[:, None] * mean
    precision, right = weight + each, weight * seen + usual
    precision[1:] += each[:-1]
    right[1:] -= usual[:-1]
    for k in range(1, len(kept)):
        share = each[k - 1] / precision[k - 1]
        precision[k] -= share * each[k - 1]
        right[k] += share * right[k - 1]
    value = right / precision
    for k in reversed(range(len(kept) - 1)):
        value[k] += each[k] / precision[k] * value[k + 1]
    images: Tensor = value.clone()
    images[:-1] -= value[1:]
    return images / slopes[:, None]


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
