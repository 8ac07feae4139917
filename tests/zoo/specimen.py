"""What a planted bug is, and the tiny training that it is planted in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from defenses import Defense, Gradients
from tests.conftest import seeded
from victims.conformance import Build
from victims.training import Training
from victims.training.plan import make_plan
from victims.training.trainer import Trainer

EXAMPLES = 32
"""The public number that the sample rate is computed from, not that of the private examples."""
SHAPE, CLASSES = (1, 6, 6), 3
OPTIONS = {"clip": 0.5, "noise_multiplier": 0.5}
TRAINING = Training(
    defense="dpsgd", defense_options=OPTIONS, batch_size=8, epochs=6, lr=0.1, accountant="rdp"
)


@dataclass(frozen=True)
class Specimen:
    """A way to get private training wrong that somebody got wrong, behind a correct claim.

    Attributes:
        name: what went wrong, in a few words.
        source: where it is documented.
        check: the structural check that catches it.
        kind: the class that has the bug, a `Defense` or a `Trainer`.
        net: the network it is planted in; None: `mlp`.
        changed: fields of the training that the bug needs.
        refuted: whether the white-box audit of `tests.zoo.audit` refutes the claim as well.
    """

    name: str
    source: str
    check: str
    kind: type[Defense] | type[Trainer]
    net: Callable[..., nn.Module] | None = None
    changed: dict[str, Any] = dataclasses.field(default_factory=dict)
    refuted: bool = False

    def __str__(self) -> str:
        return self.kind.__name__

    @property
    def defense(self) -> Defense | None:
        """The defense with the bug, if that is where it is."""
        return self.kind(**OPTIONS) if issubclass(self.kind, Defense) else None

    @property
    def build(self) -> Build:
        """A builder of the trainer with the bug."""
        if issubclass(self.kind, Defense):
            spec = f"{self.kind.__module__}:{self.kind.__qualname__}"
            return builder(defense=spec, net=self.net, **self.changed)
        return builder(self.kind, net=self.net, **self.changed)


def builder(
    kind: type[Trainer] = Trainer, net: Callable[..., nn.Module] | None = None, **changed: Any
) -> Build:
    """A builder whose public facts are fixed before it sees the data."""

    def build(inputs: Tensor, labels: Tensor) -> Trainer:
        training = dataclasses.replace(TRAINING, **changed)
        plan = make_plan(training, EXAMPLES)
        public = torch.rand(12, *SHAPE, generator=seeded(9)), torch.arange(12) % CLASSES
        return kind(
            dataclasses.replace(plan, examples=len(inputs)), (net or mlp)(), inputs, labels, public
        )

    return build


def private(count: int = EXAMPLES, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(count, 1, 6, 6) images in [0, 1] and (count,) labels of three classes."""
    draw = seeded(seed)
    labels = torch.arange(count) % CLASSES
    return torch.rand(count, *SHAPE, generator=draw), labels


def mlp(image_shape: tuple[int, ...] = SHAPE, classes: int = CLASSES) -> nn.Module:
    """One hidden layer of 8; always the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        enter, leave = nn.Linear(math.prod(image_shape), 8), nn.Linear(8, classes)
        return nn.Sequential(nn.Flatten(), enter, nn.Tanh(), leave)


def stacked(grads: Gradients, extra: Gradients | None) -> Gradients:
    """A batch's gradients and those that join it."""
    return {k: torch.cat([g, extra[k]]) for k, g in grads.items()} if extra else grads
