"""Guards a model that somebody else wrote: a pass takes nothing but its input and leaves nothing.

What libraries hand out wraps the model (compiled, parallel, with hooks for per-example
gradients); forward passes change the images they are lent, answer with more than logits, keep
activations on the module, or run kernels that can be differentiated once only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from defenses import BadInput
from defenses.eager import eager

WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}
"""Classes that run another module, and where they keep it."""
KEPT = ("penalty",)
"""Attributes that defenses leave on their modules on purpose: see `preprocessing.take_penalty`."""


class Foreign(nn.Module):
    """What `as_foreign` puts before a module's class: its parameters keep their names."""

    def forward(self, images: Tensor) -> Any:
        """The class's own pass over a copy of ``images``; of its answer the logits alone.

        Args:
            images: (B, ...), left as they are.

        Returns:
            The ``logits`` of an answer that has them (as those of Hugging Face's models have),
            else the answer.
        """
        before = {name: dict(module.__dict__) for name, module in self.named_modules()}
        try:
            with eager(self):
                answer = super().forward(images.clone())
        finally:
            for name, module in self.named_modules():
                _forget(module, before.get(name, {}))
        logits = getattr(answer, "logits", None)
        return logits if isinstance(logits, Tensor) else answer


def as_foreign(model: nn.Module) -> nn.Module:
    """The module itself, whose passes are `Foreign`'s from now on."""
    for module in model.modules():
        for name, value in [*module.__dict__.items()]:  # what its making left, as a weight norm's
            if isinstance(value, Tensor) and value.grad_fn is not None:
                module.__dict__[name] = value.detach()
    if not isinstance(model, Foreign):
        kind: Any = type(model)
        model.__class__ = _class(kind)
    return model


def own_forward(module: nn.Module) -> Any:
    """The forward pass of a module's class as its author wrote it."""
    classes = (vars(c) for c in type(module).__mro__ if c is not Foreign)
    return next(c["forward"] for c in classes if "forward" in c)


@cache
def _class(cls: Any) -> Any:
    return type(cls.__name__, (Foreign, cls), {"__module__": cls.__module__})


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside compilers' and parallel wrappers, at any depth.

    Raises:
        BadInput: part of it is TorchScript, whose weights cannot be exchanged for a pass.
    """
    model = _core(model)
    for name, module in [*model.named_modules()]:
        if isinstance(module, torch.jit.ScriptModule):
            where = f"its part {name!r}" if name else "it"
            raise BadInput(
                f"{where} is TorchScript, which cannot be differentiated example by example: "
                "give the nn.Module that it was made from"
            )
        module.__dict__["_compiled_call_impl"] = None  # of nn.Module.compile
        for place, child in module.named_children():
            if _core(child) is not child:
                setattr(module, place, unwrap(child))
    return model


def _core(model: nn.Module) -> nn.Module:
    """The module in wrappers around wrappers."""
    while True:
        inner = WRAPPERS.get(type(model).__name__)
        if inner is not None and isinstance(getattr(model, inner, None), nn.Module):
            model = getattr(model, inner)
        elif callable(plain := getattr(model, "to_standard_module", None)):
            model = plain()  # of Opacus, whose hooks go with it
        else:
            return model


def _forget(module: nn.Module, before: dict[str, Any]) -> None:
    """Put back attributes that a pass has set to tensors, which would live in a copy of it."""
    for name, value in [*module.__dict__.items()]:
        if isinstance(value, Tensor) and before.get(name) is not value and name not in KEPT:
            if name in before:
                module.__dict__[name] = before[name]
            else:
                del module.__dict__[name]
