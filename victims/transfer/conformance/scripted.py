"""A mechanism that answers by a script, so that two data sets have one past."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from defenses import stream
from victims.transfer.mechanism import Sum, computed

EXAMPLES = 40


@dataclass
class Scripted:
    """Answers with numbers that do not depend on the data, so that two data sets have one past.

    Attributes:
        scale: of the answers.
        seed: of the answers.
        every: samples hold each so many-th of the first `EXAMPLES`; 1: all examples there are.
        asked: name -> what was asked for, without noise, and the sensitivity that was stated.
        drawn: name of every release or sample in their order, with the rate of a sample.
    """

    scale: float
    seed: int
    every: int = 1
    asked: dict[tuple[object, ...], tuple[Tensor, float]] = field(default_factory=dict)
    drawn: list[tuple[tuple[object, ...], float | None]] = field(default_factory=list)

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """Random numbers of the value's shape."""
        value = self._note(computed(value), sensitivity, name)
        draw = stream(self.seed, "scripted", *name)
        return self.scale * torch.randn(value.shape, generator=draw, dtype=torch.float64)

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """Unit matrices."""
        value = self._note(computed(value), sensitivity, name)
        return torch.eye(value.shape[-1], dtype=torch.float64).expand(value.shape)

    def std(self, sensitivity: float) -> float:
        """As under no noise at all."""
        return 0.0

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """See `every`."""
        self.drawn.append((name, rate))
        return torch.arange(examples if self.every == 1 else EXAMPLES)[:: self.every]

    def _note(self, value: Tensor, sensitivity: float, name: tuple[object, ...]) -> Tensor:
        self.asked[name] = value.double(), sensitivity
        self.drawn.append((name, None))
        return value
