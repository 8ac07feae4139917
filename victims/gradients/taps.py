"""Taps linear layers while a model runs: their inputs, and the slopes of their outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def tap(
    model: nn.Module, names: Sequence[str], extra: Mapping[str, Tensor]
) -> Iterator[dict[str, Tensor]]:
    """While open, each named linear layer adds ``extra[name]`` and notes its input row.

    The gradient in ``extra`` (zeros, (out,)) is the slope; the yielded dict gets name -> (in,).
    """
    inputs: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def note(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            inputs[name] = arguments[0].flatten()
            return output + extra[name]

        return note

    handles = [model.get_submodule(n).register_forward_hook(hook(n)) for n in names]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
