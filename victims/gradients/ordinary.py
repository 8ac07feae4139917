"""Models whose layers torch's vmap is known to handle."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

LAYERS = frozenset(
    f"torch.nn.modules.{name}"
    for name in (
        "activation",
        "batchnorm",
        "container",
        "conv",
        "dropout",
        "flatten",
        "fold",
        "instancenorm",
        "linear",
        "normalization",
        "padding",
        "pixelshuffle",
        "pooling",
        "upsampling",
    )
)
"""Modules of torch that handle each example on its own, the same under vmap as alone."""


def ordinary(model: nn.Module) -> bool:
    """Whether a model is made of nothing but layers whose vmap is known to be right."""
    return all(
        type(m).__module__.partition(".")[0] in ("victims", "defenses")
        or (
            type(m).__module__ in LAYERS
            and not isinstance(m, nn.MultiheadAttention)
            and not (isinstance(m, _InstanceNorm) and m.track_running_stats)
            and not m._forward_hooks
            and not m._forward_pre_hooks
        )
        for m in model.modules()
    )
