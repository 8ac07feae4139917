"""Puts a model's own parameters back where a functional call leaves others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def restored_parameters(model: nn.Module) -> Iterator[None]:
    """While this lasts others may stand for the parameters and buffers; then they are back.

    `torch.func.functional_call` puts them back itself, but for a module that stands under two
    names: of the second name it takes for the original what it has put there for the first.
    """
    held = [(m, dict(m._parameters), dict(m._buffers)) for m in model.modules()]
    try:
        yield
    finally:
        for module, parameters, buffers in held:
            module._parameters.update(parameters)
            module._buffers.update(buffers)
