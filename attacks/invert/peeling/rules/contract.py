"""How one layer is walked backwards, and how the rule for a layer is found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
"""Of one example, without the batch."""


class NoRule(Exception):
    """A layer that no rule covers; the message is one line that names it."""


@dataclass(frozen=True)
class Call:
    """One step of a model's forward pass.

    Attributes:
        name: where it stands in the model, for messages.
        target: the module, the function, or the name of the method that is called.
        arguments: positional arguments; tensors that depend on the image stand as `Fed`.
        options: keyword arguments; tensors that depend on the image stand as `Fed`.
        fed: shape of every tensor that depends on the image, in the order of the arguments.
        shape: of what comes out.
        parameters: id of a trainable parameter -> its name in the update.
    """

    name: str
    target: nn.Module | Callable[..., Any] | str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    fed: tuple[Shape, ...]
    shape: Shape
    parameters: Mapping[int, str] = field(default_factory=dict)

    def option(self, position: int, name: str, default: Any) -> Any:
        """An argument given by position or by name."""
        if position < len(self.arguments):
            return self.arguments[position]
        return self.options.get(name, default)

    def refuse(self, reason: str) -> NoRule:
        """The exception that names this layer."""
        return NoRule(f"{self.name}: {reason}")


@dataclass(frozen=True)
class Fed:
    """Stands for a tensor that depends on the image; its place in `Call.fed`."""

    position: int


class Rule(ABC):
    """One layer, walked backwards; tensors are (B, *shape), float64."""

    @abstractmethod
    def pull(self, slope: Tensor) -> tuple[Tensor, ...] | None:
        """Slopes of the loss at what the layer was fed, from the slope at what it gives.

        None where what the layer was fed decides them: see `GroupNorm`.
        """

    def lift(self, output: Tensor) -> tuple[Tensor, ...] | None:
        """What the layer was fed, where what it gives says that; else None."""
        return None

    @property
    def pointwise(self) -> bool:
        """Whether `pull` multiplies every entry by a constant that is not 0."""
        return False


class Routed(Rule):
    """A layer that passes each entry on or does not, as its input decides."""

    @abstractmethod
    def pull(self, slope: Tensor) -> tuple[Tensor, ...]:
        """The slope that each entry of the input would have if it were passed on."""

    @property
    def leak(self) -> float:
        """Share of the slope that an entry has which is not passed on."""
        return 0.0

    @property
    def windows(self) -> Tensor | None:
        """(P,) which entry of a channel's output each of its inputs competes for, -1: for none.

        None where every entry decides for itself.
        """
        return None


class Weighted(Rule):
    """A layer with a weight of its own, whose gradient tells what the layer was fed.

    Attributes:
        parameter: name of the weight in the update; None when it is not trained.
        weight: as the model holds it.
    """

    parameter: str | None
    weight: Tensor

    @property
    @abstractmethod
    def unknowns(self) -> int:
        """Values of one example that share one system: the places of an input channel."""

    @property
    @abstractmethod
    def equations(self) -> int:
        """Rows of that system."""

    @abstractmethod
    def system(self, slope: Tensor) -> Tensor:
        """(equations, B * unknowns) the matrix of what was fed, the same for all channels."""

    @abstractmethod
    def right(self, gradient: Tensor) -> Tensor:
        """(equations, channels) the weight's gradient, or its visible mask, as rows of `system`."""


Builder = Callable[[Call], Rule]
_builders: dict[Any, Builder] = {}


def reads(*targets: Any) -> Callable[[Builder], Builder]:
    """Register what makes the rule of these module types, functions or method names."""

    def register(builder: Builder) -> Builder:
        for target in targets:
            _builders[target] = builder
        return builder

    return register


def covers(module: nn.Module) -> bool:
    """Whether modules of exactly this type are read as one layer."""
    return type(module) in _builders


def rule_of(call: Call) -> Rule:
    """The rule of a layer.

    Raises:
        NoRule: none covers it.
    """
    key = type(call.target) if isinstance(call.target, nn.Module) else call.target
    builder = _builders.get(key) if _hashable(key) else None
    if builder is None:
        raise call.refuse(f"no rule covers {_title(call.target)}")
    return builder(call)


def adjoint(
    apply: Callable[..., Tensor], shapes: tuple[Shape, ...], slope: Tensor
) -> tuple[Tensor, ...]:
    """The transpose of a linear map at a slope, by autograd.

    Args:
        apply: linear, of as many tensors as there are shapes.
        shapes: of one example of each.
        slope: (B, *shape of what it gives).
    """
    zeros = [slope.new_zeros((len(slope), *s)).requires_grad_() for s in shapes]
    with torch.enable_grad():
        return torch.autograd.grad(apply(*zeros), zeros, slope)


def _title(target: Any) -> str:
    if isinstance(target, nn.Module):
        return type(target).__name__
    return str(target if isinstance(target, str) else getattr(target, "__name__", target))


def _hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True
