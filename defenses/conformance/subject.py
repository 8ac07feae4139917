"""A defense on the bench: gradients to try it with, and what it releases of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from defenses.chains.chain import Chain
from defenses.contract import Defense, Gradients, Release, Side
from defenses.randomness import stream

SIZE = 8
"""Public batch size of every release that does not say another."""
STEPS = 9
"""Steps of the run that releases pretend to be part of."""
VISITED = (0, STEPS // 2, STEPS - 1)
DRAWS = 16
DELTA = 1e-5


@dataclass(frozen=True)
class Noise:
    """What one release holds besides what its replay explains.

    Attributes:
        left: name -> tensor of the parameter's shape.
        kept: name -> bool, True where the release is not zero.
        stated: std per coordinate, as its public facts say.
    """

    left: dict[str, Tensor]
    kept: dict[str, Tensor]
    stated: float


class Subject:
    """A defense, the shapes of its parameters and a seed.

    Args:
        defense: told of random public anchors and of a random course of the weights where it
            wants them; else used as it is.
        like: see `Check`.
        seed: see `Check`.
    """

    def __init__(
        self, defense: Defense, like: Mapping[str, Tensor] | None = None, seed: int = 0
    ) -> None:
        shapes = {"first.weight": (32, 24), "second.weight": (32, 24), "bias": (32,)}
        found = like or {k: torch.zeros(s) for k, s in shapes.items()}
        self.like = {k: v.detach() for k, v in found.items()}
        self.seed = seed
        if defense.wants:
            course = {k: g[0] for k, g in self.random(1, "course").items()}
            defense = defense.informed(Side(anchors=self.random(16, "public"), moved=course))
        self.defense = defense
        self._noise: dict[tuple[int, int, int], Noise] = {}

    @cached_property
    def guarantor(self) -> Subject:
        """The first stage of a chain, whose guarantee is the chain's; else this subject."""
        if isinstance(self.defense, Chain):
            return Subject(self.defense.first, self.like, self.seed)
        return self

    @cached_property
    def claims(self) -> bool:
        """Whether the defense claims a finite epsilon for one release."""
        return math.isfinite(self.defense.epsilon(steps=1, sample_rate=1.0, delta=DELTA))

    def generator(self, *names: object) -> torch.Generator:
        """A generator for one purpose."""
        return stream(self.seed, "conformance", *names)

    def random(self, batch: int, *names: object) -> dict[str, Tensor]:
        """Normal per-example gradients, name -> (batch, *shape)."""
        draw = self.generator(*names)
        return {
            k: torch.randn((batch, *v.shape), generator=draw, dtype=v.dtype).to(v.device)
            for k, v in self.like.items()
        }

    def batch(self, size: int = SIZE) -> dict[str, Tensor]:
        """Gradients from short to long, so that clipping concerns some of them."""
        scales = torch.logspace(-3, 1, size) if size > 1 else torch.ones(size)
        return {
            k: g * scales.to(g).view(-1, *[1] * (g.ndim - 1))
            for k, g in self.random(size, "batch", size).items()
        }

    def drawing(self, step: int, draw: int) -> torch.Generator:
        """The generator of a draw at a step."""
        return self.generator("draw", step, draw)

    def release(
        self, grads: Gradients, *, step: int = 0, draw: int = 0, size: int | None = SIZE
    ) -> Release:
        """A release with the generator of that draw, which is the same whatever the gradients."""
        return self.defense.release(
            grads, step=step, steps=STEPS, batch_size=size, generator=self.drawing(step, draw)
        )

    def left(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """What the replay of the true gradients does not explain: the noise."""
        with torch.no_grad():
            known = self.defense.replay(grads, release)
        return {k: v - known[k] for k, v in release.update.items()}

    def noise(self, step: int, draw: int, size: int = SIZE) -> Noise:
        """The noise on an ordinary batch."""
        key = step, draw, size
        if key not in self._noise:  # the costly part of an examination, which several checks share
            grads = self.batch(size)
            release = self.release(grads, step=step, draw=draw)
            kept = {k: v != 0 for k, v in release.update.items()}
            stated = float(release.public["noise_std"])
            self._noise[key] = Noise(self.left(grads, release), kept, stated)
        return self._noise[key]


def join(grads: Gradients, one: Gradients, *, first: bool = False) -> dict[str, Tensor]:
    """A batch and one more example, after the others or before them."""
    return {k: torch.cat([one[k], g] if first else [g, one[k]]) for k, g in grads.items()}
