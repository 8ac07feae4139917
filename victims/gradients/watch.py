"""Watches a pass over a batch, and notes what makes each example's gradient in every layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from defenses.implicit import Implicit

WHOLE = (torch.float32, torch.float64)
"""Types whose gradients are taken; sums of shorter ones need longer ones to be made in."""


class Watch(TorchFunctionMode):
    """While it is on, layers that have a rule take no weight gradient and note what makes it.

    Args:
        leaves: the weights by name; what no rule meets uses them as they are.
        count: the number B of examples, which are the rows of what every layer is fed.
        rules: function -> its rule, called as the function is with the watch before; what a rule
            gives stands for the function's answer, and None leaves it to the function.

    Attributes:
        anchor: a number whose gradient is to be asked for, that slopes may travel to it.
        spread: weights of which every example has a copy (B * size,), whose gradient is asked for.
        standard: id of a standardised weight -> the weight and the gain it is made of, and itself.
        twice: whether a rule met a weight a second time, or what it noted has been changed since.
    """

    def __init__(
        self,
        leaves: Mapping[str, Tensor],
        count: int,
        rules: Mapping[Callable[..., Any], Callable[..., Tensor | None]],
    ) -> None:
        super().__init__()
        self.leaves, self.count, self.rules = leaves, count, rules
        self.anchor = next(iter(leaves.values())).new_zeros(()).requires_grad_()
        self.spread: dict[str, Tensor] = {}
        self.twice = False
        self._names = {id(leaf): name for name, leaf in leaves.items()}
        self._met: set[str] = set()
        self._noted: dict[str, Tensor | Implicit] = {}
        self.standard: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        rule = self.rules.get(func)
        found = None if rule is None else rule(self, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if found is None else found

    def named(self, x: Tensor, *weights: Tensor | None) -> list[str | None] | None:
        """The names of a layer's weights, None for what is constant; None: no rule may serve."""
        names = [None if w is None else self._names.get(id(w)) for w in weights]
        derived = any(
            w is not None and w.requires_grad and n is None
            for w, n in zip(weights, names, strict=True)
        )
        whole = x.dtype in WHOLE and x.ndim > 1 and len(x) == self.count
        if derived or not whole or not any(names):
            return None
        met = {n for n in names if n is not None}
        self.twice |= bool(met & self._met)
        self._met |= met
        return names

    def tap(self, x: Tensor, y: Tensor, note: Callable[[Tensor, Tensor], dict[Any, Any]]) -> Tensor:
        """``y`` itself; when the slopes of ``y`` are known, ``note(x, slopes)`` names gradients."""
        fed = x.detach()
        version = fed._version

        def book(slope: Tensor) -> None:
            self.twice |= fed._version != version  # a layer behind works in place
            found = note(fed, slope.detach())
            self._noted |= {k: v for k, v in found.items() if k is not None}

        tapped: Tensor = _Tap.apply(y, self.anchor, book)
        return tapped

    def copies(self, weight: Tensor | None, name: str | None) -> Tensor | None:
        """One copy of a layer's weight (C,) for each example, (B * C,)."""
        if weight is None:
            return None
        many = weight.detach().repeat(self.count)
        if name is not None:
            self.spread[name] = many.requires_grad_()
        return many

    def gradients(self, spread: Mapping[str, Tensor | None]) -> dict[str, Tensor | Implicit]:
        """The gradients of all weights, name -> (B, *shape), given those of the copies."""
        found: dict[str, Tensor | Implicit] = {}
        for name, leaf in self.leaves.items():
            slope = spread.get(name)
            if slope is not None:
                found[name] = slope.reshape(self.count, *leaf.shape)
            elif name in self._noted:
                found[name] = self._noted[name]
            else:  # nothing that the loss depends on depends on it
                found[name] = leaf.new_zeros(1).expand(self.count, *leaf.shape)
        return found


class _Tap(torch.autograd.Function):
    """What it is given, unchanged; tells the slopes that come back."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, anchor: Tensor, book: Callable[[Tensor], None]) -> Tensor:
        ctx.mark_dirty(y)
        ctx.book = book
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        ctx.book(slope)
        return slope, None, None
