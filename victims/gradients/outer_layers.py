"""Finds the linear layers whose per-example gradients are outer products, by trying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from defenses.outer import Outer
from victims.gradients.per_example import gradient_chunks


def outer_layers(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, labels: Tensor
) -> list[str]:
    """Names of the linear layers whose per-example weight gradient is one outer product.

    Those that see one row per example, once, and whose weight nothing else uses; whether that is
    so is found out by comparing both ways of taking the gradient on one example.

    Args:
        model: see `victims.per_example_gradients`.
        loss: see `victims.per_example_gradients`.
        inputs: (1, ...) inputs or more, of which the first is used.
        labels: (1,) labels or more, of which the first is used.
    """
    calls: dict[str, list[int]] = {}
    names = Counter(map(id, dict(model.named_parameters(remove_duplicate=False)).values()))
    layers = {
        name: module
        for name, module in model.named_modules()
        if type(module) is nn.Linear
        and module.weight.requires_grad
        and names[id(module.weight)] == 1  # one of several names is not known by all of them
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
    found = [n for n, m in layers.items() if calls.get(n) == [m.in_features]]
    if not found:
        return []
    one = (model, loss, inputs[:1], labels[:1])
    (plain,) = gradient_chunks(*one)
    (clever,) = gradient_chunks(*one, outer=found)
    if not all(isinstance(clever[f"{n}.weight"], Outer) for n in found):
        return []  # a loop over examples gives gradients as they are
    for name, value in clever.items():
        full = value.dense() if isinstance(value, Outer) else value
        if not torch.allclose(
            full, plain[name], rtol=1e-3, atol=1e-6 * float(plain[name].abs().max())
        ):
            return []
    return found
