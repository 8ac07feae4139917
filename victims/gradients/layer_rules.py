"""Watches a pass over a batch, and notes what makes each example's gradient in every layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from defenses.implicit import Implicit
from defenses.outer import Outer
from victims.gradients.convolution import Geometry, pair
from victims.gradients.convolved import Convolved

WHOLE = (torch.float32, torch.float64)
"""Types whose gradients are taken; sums of shorter ones need longer ones to be made in."""


class Watch(TorchFunctionMode):
    """While it is on, layers that have a rule take no weight gradient and note what makes it.

    Args:
        leaves: the weights by name; what no rule meets uses them as they are.
        count: the number B of examples, which are the rows of what every layer is fed.

    Attributes:
        anchor: a number whose gradient is to be asked for, that slopes may travel to it.
        spread: weights of which every example has a copy (B * size,), whose gradient is asked for.
        twice: whether a rule met a weight a second time, or what it noted has been changed since.
    """

    def __init__(self, leaves: Mapping[str, Tensor], count: int) -> None:
        super().__init__()
        self.leaves, self.count = leaves, count
        self.anchor = next(iter(leaves.values())).new_zeros(()).requires_grad_()
        self.spread: dict[str, Tensor] = {}
        self.twice = False
        self._names = {id(leaf): name for name, leaf in leaves.items()}
        self._met: set[str] = set()
        self._noted: dict[str, Tensor | Implicit] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        rule = RULES.get(func)
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


def _conv2d(
    watch: Watch,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor | None:
    """See `torch.nn.functional.conv2d`."""
    if isinstance(padding, str) or input.ndim != 4:
        return None
    names = watch.named(input, weight, bias)
    if names is None:
        return None
    geometry = Geometry(pair(stride), pair(padding), pair(dilation), groups)
    constant = None if bias is None else bias.detach()
    y = F.conv2d(input, weight.detach(), constant, *geometry)

    def note(x: Tensor, slope: Tensor) -> dict[str | None, Tensor | Implicit]:
        found: dict[str | None, Tensor | Implicit] = {}
        if names[0] is not None:
            found[names[0]] = Convolved(x, slope, weight.shape, geometry)
        if names[1] is not None:
            found[names[1]] = slope.sum((2, 3))
        return found

    return watch.tap(input, y, note)


def _linear(
    watch: Watch, input: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor | None:
    """See `torch.nn.functional.linear`; of one row per example."""
    names = watch.named(input, weight, bias) if input.ndim == 2 else None
    if names is None:
        return None
    y = F.linear(input, weight.detach(), None if bias is None else bias.detach())
    return watch.tap(input, y, lambda x, slope: {names[0]: Outer(slope, x), names[1]: slope})


def _group_norm(
    watch: Watch,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """See `torch.nn.functional.group_norm`; the batch is one example of B times the channels."""
    names = watch.named(input, weight, bias)
    if names is None:
        return None
    together = input.reshape(1, -1, *input.shape[2:])
    given = [watch.copies(w, n) for w, n in zip((weight, bias), names, strict=True)]
    y = F.group_norm(together, len(input) * num_groups, given[0], given[1], eps)
    return y.reshape(input.shape)


class _Pool(torch.autograd.Function):
    """``max_pool2d`` with a pixel's channels side by side, at which torch is far faster."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, walk: tuple[Any, ...]) -> Tensor:
        beside = x.contiguous(memory_format=torch.channels_last)
        y, places = torch.ops.aten.max_pool2d_with_indices(beside, *walk)
        ctx.save_for_backward(x, places.contiguous())
        ctx.walk = walk
        pooled: Tensor = y.contiguous()
        return pooled

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        x, places = ctx.saved_tensors
        back = torch.ops.aten.max_pool2d_with_indices_backward
        passed: Tensor = back(slope.contiguous(), x, *ctx.walk, places)
        return passed, None


def _max_pool2d(
    watch: Watch,
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    """See `torch.nn.functional.max_pool2d`; it has no weight, and is merely faster on a CPU."""
    known = input.device.type == "cpu" and input.dtype in WHOLE and input.ndim == 4
    if not known or return_indices or not input.is_contiguous():
        return None
    step = kernel_size if stride is None else stride
    walk = (list(pair(v)) for v in (kernel_size, step, padding, dilation))
    pooled: Tensor = _Pool.apply(input, (*walk, ceil_mode))
    return pooled


RULES: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    F.conv2d: _conv2d,
    F.linear: _linear,
    F.group_norm: _group_norm,
    F.max_pool2d: _max_pool2d,
}
"""What each function does while it is watched; None: it does what it always does."""
