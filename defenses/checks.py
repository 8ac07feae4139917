"""Checks what a defense is given, before a line of its author's runs.

`Defense` puts these checks in front of the methods that every release passes through, in whatever
class they are written: ``release``, and the ``contribute`` and ``finish`` of a `Summed`, which
trainers call by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from defenses.errors import BadInput
from defenses.finite import all_finite, leave_out_unfinite
from defenses.implicit import Implicit
from defenses.precision import full_precision

Method = Callable[..., Any]


def guard(cls: type, base: type) -> None:
    """Put the checks in front of a class's own ``release``, ``contribute`` and ``finish``.

    Args:
        cls: derives from ``base``; what its bases bring is guarded already.
        base: the contract; a method of a class that does not derive from it is guarded in ``cls``.
    """
    for name, guarded in GUARDS.items():
        owner = next((c for c in cls.__mro__ if name in vars(c)), base)
        if owner is cls or not issubclass(owner, base):
            setattr(cls, name, guarded(getattr(cls, name)))


def _guarded_release(method: Method) -> Method:
    @wraps(method)
    @full_precision()
    def release(
        self: Any, grads: Mapping[str, Tensor], *, batch_size: int | None = None, **place: Any
    ) -> Any:
        count = count_examples(grads)
        place["batch_size"] = check_size(count if batch_size is None else batch_size)
        return method(self, leave_out_unfinite(grads), **place)

    return release


def _guarded_contribute(method: Method) -> Method:
    @wraps(method)
    @full_precision()
    def contribute(self: Any, grads: Mapping[str, Tensor | Implicit], plan: Any) -> Any:
        # An adversary who differentiates candidates is to see that one of them leads nowhere.
        looked = self.takes_unfinite() or any(g.requires_grad for g in grads.values())
        return method(self, grads if looked else leave_out_unfinite(grads), plan)

    return contribute


def _guarded_finish(method: Method) -> Method:
    @wraps(method)
    def finish(
        self: Any, total: Mapping[str, Tensor], plan: Any, *, batch_size: int, **place: Any
    ) -> Any:
        far = any(v.device.type != "cpu" for v in total.values())
        if not (far and self.takes_unfinite()):  # where nothing can be amiss a GPU is not asked
            check_finite(total)
        return method(self, total, plan, batch_size=check_size(batch_size), **place)

    return finish


GUARDS = {
    "release": _guarded_release,
    "contribute": _guarded_contribute,
    "finish": _guarded_finish,
}


def check_finite(values: Mapping[str, Tensor]) -> None:
    """Raise `BadInput` for the first gradient, or sum of them, with NaN or infinite values.

    Of a sum over a batch this is no example's doing, for those that are not finite are left out: a
    defense has made it, or a sum that no clipping bounds has overflowed.
    """
    if all_finite(values.values()):
        return
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise BadInput(f"the gradient of {name!r} holds NaN or infinite values")


def check_size(size: int) -> int:
    """The public divisor of a batch; raise `BadInput` where it is no integer or below 1."""
    if isinstance(size, bool) or not isinstance(size, Integral):
        raise BadInput(f"the batch size is {size!r:.40}; it must be an integer >= 1")
    if size < 1:
        raise BadInput(f"the batch size is {size}; an empty batch needs batch_size >= 1")
    return size


def count_examples(grads: Mapping[str, Tensor]) -> int:
    """The number B of examples that per-example gradients, name -> (B, *shape), are of.

    Raises:
        BadInput: there are no tensors, one has no axis of examples, or they disagree on B.
    """
    if not grads:
        raise BadInput("there are no gradients: the model has no trainable parameter")
    for name, grad in grads.items():
        if not grad.ndim:
            raise BadInput(f"the gradient of {name!r} has no axis of examples")
    counts = {len(g) for g in grads.values()}
    if len(counts) != 1:
        raise BadInput(f"per-example gradients disagree on the batch size: {sorted(counts)}")
    return counts.pop()
