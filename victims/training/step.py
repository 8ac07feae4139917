"""Moves the weights along a release: an optimiser's step that leaves dropped coordinates alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from defenses import Release
from victims.training.scenario import Training


def apply_release(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter], release: Release
) -> None:
    """Take one step of ``optimizer`` along the released update.

    The rule for coordinates that a public mask dropped: for them this step did not happen. The
    weight stays, and so do its momentum and its Adam moments; weight decay does not touch it.
    (Left alone, an optimiser would go on moving them by momentum and by weight decay, and the
    published step would be sparse in name only.) Adam's step counter is shared and goes on.
    """
    masks = _masks(parameters, release) if _moves_zeros(optimizer) else {}
    before = {
        name: [t.clone() for t in (parameters[name].data, *_moments(optimizer, parameters[name]))]
        for name in masks
    }
    for name, parameter in parameters.items():
        parameter.grad = release.update[name].to(parameter)
    optimizer.step()
    for name, keep in masks.items():
        after = [parameters[name].data, *_moments(optimizer, parameters[name])]
        for place, value in enumerate(after):
            old = before[name]
            # A moment that this step created was nothing before.
            value.copy_(torch.where(keep, value, old[place] if place < len(old) else 0.0))


def _moves_zeros(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a weight may move though its update is zero; plain SGD's stays."""
    return not isinstance(optimizer, torch.optim.SGD) or any(
        group["momentum"] or group["weight_decay"] for group in optimizer.param_groups
    )


def _masks(parameters: Mapping[str, nn.Parameter], release: Release) -> dict[str, Tensor]:
    """Public masks over the parameters' own coordinates that drop at least one."""
    masks = release.public.get("mask") or {}
    if release.public.get("rate") == 0:
        return {}
    return {k: masks[k].to(p.device) for k, p in parameters.items() if k in masks}


def _moments(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> list[Tensor]:
    """The optimiser's tensors that go with the coordinates of one parameter, in a fixed order."""
    state = optimizer.state.get(parameter, {})
    return [
        value
        for _, value in sorted(state.items())
        if isinstance(value, Tensor) and value.shape == parameter.shape and value.ndim
    ]


def rate_factor(schedule: str, warmup: int, step: int, steps: int) -> float:
    """Learning rate at a step over its highest, in (0, 1]: ``constant``, ``cosine``, ``linear``."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1 - done if schedule == "linear" else 1.0


def optimizer_of(t: Training, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """SGD or Adam as the training says."""
    if t.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=t.lr, weight_decay=t.weight_decay)
    return torch.optim.SGD(parameters, lr=t.lr, momentum=t.momentum, weight_decay=t.weight_decay)
