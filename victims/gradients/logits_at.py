"""Asks a model for its logits at weights that are handed over, and leaves it as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


def logits_at(model: nn.Module, tensors: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """The logits of a model while other tensors stand for its parameters and buffers.

    Nothing else in the house calls a model so. `torch.func.functional_call` puts the model's own
    tensors back itself, but not in a module that stands under two names: of the second name it
    takes for the original what it has put there for the first.

    Args:
        model: logits from images; afterwards the same tensors are in it as before.
        tensors: name -> tensor, as `named_parameters` and `named_buffers` name them; the model's
            own stand for those that are not named. What the pass changes in place is changed.
        images: (B, ...); a model that works in place writes here.

    Returns:
        What the model answers, for most (B, C).
    """
    given = {id(tensor) for tensor in tensors.values()}
    own: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (held, dict(held))
        for module in _met_twice(model)
        for held in (module._parameters, module._buffers)
    ]
    try:
        answer: Tensor = functional_call(model, dict(tensors), (images,))
    finally:
        for held, before in own:
            held.update({k: v for k, v in before.items() if id(held[k]) in given})
    return answer


def _met_twice(model: nn.Module) -> list[nn.Module]:
    """The modules that stand under more than one name."""
    met: set[nn.Module] = set()
    twice = []
    for _, module in model.named_modules(remove_duplicate=False):
        if module in met:
            twice.append(module)
        met.add(module)
    return twice
