"""A gradient captured elsewhere, as a Release that can be attacked."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from defenses import BadInput, Defense, Release


def load_observation(path: Path, model: nn.Module, defense: Defense, batch_size: int) -> Release:
    """Read ``parameter name -> update`` tensors from a safetensors file.

    Args:
        path: the file; its tensors must carry the model's parameter names and shapes. Buffers
            and frozen parameters of the model may be among them and are passed over.
        model: the model whose update it is.
        defense: what produced the update, so that an adaptive attack can replay it.
        batch_size: examples in the private batch.

    Raises:
        BadInput: not a safetensors file (a pickle is never opened), truncated, other names or
            shapes than the model's, NaN or infinite values, or all zeros.
    """
    expected = {k: tuple(p.shape) for k, p in model.named_parameters() if p.requires_grad}
    found: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in file.keys():  # noqa: SIM118  (a handle, not a dict)
                found[name] = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error
    if missing := sorted(set(expected) - set(found)):
        raise BadInput(f"{path} lacks the parameter {missing[0]!r} of the model")
    still = {k for k, _ in model.named_buffers()} | {k for k, _ in model.named_parameters()}
    if extra := sorted(set(found) - set(expected) - still):
        raise BadInput(f"{path} holds {extra[0]!r}, which the model does not have")
    for name, shape in expected.items():
        value = found[name]
        if tuple(value.shape) != shape:
            raise BadInput(f"{path}: {name!r} is {tuple(value.shape)}; the model has {shape}")
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise BadInput(f"{path}: {name!r} must hold finite floating-point numbers")
    if not any(bool(v.any()) for v in found.values()):
        raise BadInput(f"{path} is zero everywhere: there is nothing to attack")
    update = {k: found[k].float() for k in expected}
    kept = sum(int((v != 0).sum()) for v in update.values())
    return Release(update, defense.public(batch_size), 4 * kept)
