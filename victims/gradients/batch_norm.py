"""Batch normalisation by the statistics of the batch itself, and what these statistics are."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

MEAN, VARIANCE = "mean", "variance"


def norms(model: nn.Module) -> dict[str, _BatchNorm]:
    """Name -> batch normalisation, in the order of the modules."""
    return {k: m for k, m in model.named_modules() if isinstance(m, _BatchNorm)}


def by_batch(model: nn.Module) -> nn.Module:
    """A copy whose batch normalisation takes the statistics of the batch that it is given."""
    other = copy.deepcopy(model)
    for module in norms(other).values():  # without statistics of its own it takes the batch's
        module.running_mean = module.running_var = None
        module.track_running_stats = False
    return other


def by_statistics(model: nn.Module, told: Mapping[str, Tensor]) -> nn.Module:
    """A copy whose batch normalisation takes statistics that were told, as `statistics_of` does."""
    other = copy.deepcopy(model)
    for name, module in norms(other).items():
        module.running_mean = told[f"{name}.{MEAN}"].clone()
        module.running_var = told[f"{name}.{VARIANCE}"].clone()
        module.track_running_stats = True
        module.eval()
    return other


@contextmanager
def watch(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What each batch normalisation is fed, as `statistics_of` gives it, of the last pass in here.

    Differentiable in what the model is fed.
    """
    found: dict[str, Tensor] = {}

    def look(name: str, fed: Tensor) -> None:
        around = [axis for axis in range(fed.ndim) if axis != 1]
        found[f"{name}.{MEAN}"] = fed.mean(around)
        found[f"{name}.{VARIANCE}"] = fed.var(around, correction=0)

    def hook_of(name: str):  # type: ignore[no-untyped-def]
        return lambda _, fed: look(name, fed[0])

    held = [m.register_forward_pre_hook(hook_of(k)) for k, m in norms(model).items()]
    try:
        yield found
    finally:
        for one in held:
            one.remove()


@torch.no_grad()
def statistics_of(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The statistics by which a model of `by_batch` normalises a batch.

    A client that sends its running statistics before and after a step tells them: running
    statistics move by momentum times the difference, and the momentum is public.

    Args:
        model: logits from images.
        images: (B, C, H, W).

    Returns:
        ``NAME.mean`` and ``NAME.variance`` (without Bessel's correction), (channels,) each.
    """
    with watch(model) as found:
        model(images.clone())
    return dict(found)
