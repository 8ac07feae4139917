"""Finding the linear layers whose per-example gradients are outer products, and tapping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from defenses.outer import Outer


@contextmanager
def tapped(
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


def factorable(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, labels: Tensor
) -> list[str]:
    """Names of the linear layers whose per-example weight gradient is one outer product.

    Those that see one row per example, once, and whose weight nothing else uses; whether that is
    so is found out by comparing both ways of taking the gradient on one example.

    Args:
        model: see `victims.per_example_gradients`.
        loss: likewise.
        inputs: (1, ...) or more; the first is used.
        labels: likewise.
    """
    from victims.gradients import gradient_chunks

    calls: dict[str, list[int]] = {}
    layers = {
        name: module
        for name, module in model.named_modules()
        if type(module) is nn.Linear and module.weight.requires_grad
    }

    def count(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            calls.setdefault(name, []).append(arguments[0].numel())

        return note

    handles = [m.register_forward_pre_hook(count(n)) for n, m in layers.items()]
    with torch.no_grad():
        model(inputs[:1].clone())
    for handle in handles:
        handle.remove()
    names = [n for n, m in layers.items() if calls.get(n) == [m.in_features]]
    if not names:
        return []
    one = (model, loss, inputs[:1], labels[:1])
    (plain,) = gradient_chunks(*one)
    (clever,) = gradient_chunks(*one, outer=names)
    if not all(isinstance(clever[f"{n}.weight"], Outer) for n in names):
        return []  # a loop over examples gives gradients as they are
    for name, value in clever.items():
        full = value.dense() if isinstance(value, Outer) else value
        if not torch.allclose(
            full, plain[name], rtol=1e-3, atol=1e-6 * float(plain[name].abs().max())
        ):
            return []
    return names
