"""Which parameters are the first layer and which lie behind the logits: asked of what runs.

The order in which a model lists its parameters says nothing: layers may be unused, or listed
before those that feed them. What a gradient looks like says it all, whatever wraps the layer: the
slope of a weighted sum of logits with respect to a bias behind them is the weights; and with
respect to a linear layer it is an outer product with what the layer is fed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLOSE = 1e-3
"""Relative error that arithmetic in float32 leaves in an outer product."""


@dataclass(frozen=True)
class Behind:
    """Names of the parameters of the layer behind the logits; None where there is none such.

    Attributes:
        bias: (classes,), which is added to the logits.
        weight: (classes, features), whose rows are multiplied with features.
    """

    bias: str | None
    weight: str | None


@dataclass(frozen=True)
class Fed:
    """A linear layer that is fed with pixels, each scaled and moved by itself.

    Attributes:
        weight: its name; (outputs, D).
        bias: its name; (outputs,).
        offset: (D,) float64, what it is fed for a black image.
        scale: (D,) float64, what it is fed is offset + scale * pixels.
    """

    weight: str
    bias: str
    offset: Tensor
    scale: Tensor


def behind_logits(model: nn.Module, images: Tensor, classes: int) -> Behind:
    """The layer whose output is the logits, up to a common scale or a log-softmax.

    Args:
        model: gives logits (B, classes).
        images: (B, C, H, W) on its device; the first is looked at.
        classes: number of labels.
    """
    with _still():
        slopes, weights = _slopes(model, images[:1], classes)
    bias = next((k for k, v in slopes.items() if v.ndim == 1 and _along(v, weights)), None)
    weight = None
    for name, slope in slopes.items():
        if slope.ndim == 2 and len(slope) == classes and bool(slope.any()):
            column = slope[:, slope.abs().sum(0).argmax()]
            features = column @ slope / column.square().sum()
            outer = column[:, None] * features
            if float((slope - outer).norm()) <= CLOSE * float(slope.norm()) and _along(
                column * torch.sign(column @ weights), weights
            ):
                weight = name
                break
    return Behind(bias, weight)


def fed_with_pixels(
    model: nn.Module, image_shape: tuple[int, int, int], classes: int
) -> Fed | None:
    """A linear layer with bias, of whatever kind, whose input is the pixels; None without one.

    Only parameters that are trained count: the others are in no update.
    """
    size = image_shape[0] * image_shape[1] * image_shape[2]
    shapes = {k: tuple(p.shape) for k, p in model.named_parameters() if p.requires_grad}
    pairs = [
        (w, b)
        for w, s in shapes.items()
        for b, t in shapes.items()
        if len(s) == 2 and s[1] == size and t == s[:1]
    ]
    if not pairs:
        return None
    like = next(model.parameters())
    probe = torch.rand(image_shape, generator=torch.Generator().manual_seed(0)).to(like)
    with _still():
        seen = [
            _slopes(model, image[None], classes)[0]
            for image in (torch.zeros_like(probe), torch.ones_like(probe), probe)
        ]
    for weight, bias in pairs:
        inputs = [_input(slopes[weight], slopes[bias]) for slopes in seen]
        offset, top, mixed = (torch.empty(0) if i is None else i for i in inputs)
        if any(i is None for i in inputs):
            continue
        scale = top - offset
        told = offset + scale * probe.double().flatten()
        if bool((scale.abs() > 1e-6).all()) and torch.allclose(mixed, told, rtol=1e-3, atol=1e-3):
            return Fed(weight, bias, offset, scale)
    return None


def _slopes(model: nn.Module, images: Tensor, classes: int) -> tuple[dict[str, Tensor], Tensor]:
    """Slopes of a weighted sum of logits, name -> float64, and its weights (classes,).

    The weights add up to 0, as the slope of a loss that sees logits through a softmax does.
    """
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    weights = torch.randn(classes, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = weights - weights.mean()
    logits = model(images)
    value = (logits[0] * weights.to(logits)).sum()
    slopes = torch.autograd.grad(
        value, [p for _, p in named], allow_unused=True, materialize_grads=True
    )
    found = {k: s.detach().double() for (k, _), s in zip(named, slopes, strict=True)}
    return found, weights.to(logits.device)


def _along(slope: Tensor, weights: Tensor) -> bool:
    """Whether a slope is a positive multiple of the weights."""
    if slope.shape != weights.shape or not bool(slope.any()):
        return False
    return float(torch.cosine_similarity(slope, weights, dim=0)) > 1 - CLOSE**2


def _input(weight: Tensor, bias: Tensor) -> Tensor | None:
    """(D,) what a linear layer was fed, when its slopes are an outer product; else None."""
    if not bool(bias.any()):
        return None
    fed: Tensor = bias @ weight / bias.square().sum()
    error = (weight - bias[:, None] * fed).norm()
    return fed if float(error) <= CLOSE * float(bias.norm()) * max(1.0, float(fed.norm())) else None


@contextmanager
def _still() -> Iterator[None]:
    """What a model draws in here leaves torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        yield
