"""Releases sums over private examples under Gaussian noise, and keeps the account of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from defenses import BadInput
from defenses.secrecy import normal
from victims.training.sampling import poisson_batch
from victims.training.streams import Streams
from victims.transfer.checkpoint import Asked, Checkpoint

Sum = Tensor | Callable[[], Tensor]
"""A sum over the private examples, or what computes it, which is not asked where the release of it
is known already: see `victims.transfer.checkpoint`."""


def computed(value: Sum) -> Tensor:
    """The tensor that a `Sum` is."""
    return value if isinstance(value, Tensor) else value()


@dataclass(frozen=True)
class Released:
    """One thing that left the victim.

    Attributes:
        name: what it is and, where there are several of it, which.
        value: as it was seen, noise included.
        std: of the noise on each of its independent coordinates.
        sensitivity: L2 norm by which one example more or less can move it.
        symmetric: whether it is a matrix that equals its transpose.
    """

    name: tuple[object, ...]
    value: Tensor
    std: float
    sensitivity: float
    symmetric: bool


class Mechanism(Protocol):
    """All that a method may learn of private data: what it asks for here, noise included."""

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """``value`` with independent noise on every coordinate, in float64.

        Args:
            value: of any shape; a sum over the private examples, or a function of no argument
                that computes it.
            sensitivity: L2 norm by which one example more or less can move it.
            name: of the release, used once.
        """
        ...

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """Symmetric matrices with symmetric noise of their own each, in float64.

        The noise is isotropic among symmetric matrices in Frobenius norm: a square of independent
        numbers averaged with its transpose, whose standard deviation is full on the diagonal and
        1 / sqrt(2) of it beside. Its spectral radius is close to std * sqrt(2 d).

        Args:
            value: (..., d, d), sums over the private examples, or what computes them.
            sensitivity: Frobenius norm, of all matrices together, by which one example more or
                less can move them.
            name: of the release, used once.
        """
        ...

    def std(self, sensitivity: float) -> float:
        """The noise's standard deviation at a sensitivity: public."""
        ...

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """Indices of the examples that each joined with probability ``rate``: nobody sees them.

        The account of a method that samples takes a sample of its own for every release.

        Args:
            examples: how many there are.
            rate: the probability, in [0, 1].
            name: of the sample, used once.
        """
        ...


@dataclass
class Gaussian:
    """Gaussian noise of one multiplier on everything, from streams of its own.

    A name that is asked for twice would draw the same noise twice, so it is refused: noise that
    is shared between classes or steps cancels in a difference, as in the released code of Mehta
    et al. (2022, 2023).

    Attributes:
        noise_multiplier: noise std over sensitivity, >= 0; 0 adds none.
        draw: the generator of a purpose and place.
        keep: whether releases are kept in `seen`, as an adversary would keep them.
        seen: the releases in their order.
        names: of all releases so far.
        rates: name of every sample so far -> the probability with which an example was in it.
        wire_bytes: of them, with 4 bytes a number that another does not repeat.
        past: where releases are kept in files, and known from; None: nowhere.
    """

    noise_multiplier: float
    draw: Streams
    keep: bool = False
    seen: list[Released] = field(default_factory=list)
    names: set[tuple[object, ...]] = field(default_factory=set)
    rates: dict[tuple[object, ...], float] = field(default_factory=dict)
    wire_bytes: int = 0
    past: Checkpoint | None = None

    @property
    def count(self) -> int:
        """How many releases there were so far."""
        return len(self.names)

    def std(self, sensitivity: float) -> float:
        """The noise's standard deviation at a sensitivity."""
        return self.noise_multiplier * sensitivity

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """See `Mechanism.sample`."""
        if name in self.rates:
            raise ValueError(f"sample {name} was drawn before: it would be of the same examples")
        self.rates[name] = rate
        return poisson_batch(examples, rate, self.draw("batch", *name))

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """See `Mechanism.release`."""
        return self._note(value, sensitivity, name, symmetric=False)

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """See `Mechanism.release_symmetric`."""
        return self._note(value, sensitivity, name, symmetric=True)

    def _note(
        self, value: Sum, sensitivity: float, name: tuple[object, ...], *, symmetric: bool
    ) -> Tensor:
        if name in self.names:
            raise ValueError(f"{name} was released before: the same noise would be drawn again")
        if not (sensitivity > 0 and math.isfinite(sensitivity)):
            raise ValueError(f"the sensitivity of {name} is {sensitivity:g}; it must be > 0")
        asked = Asked(name, sensitivity, symmetric)
        noisy = None if self.past is None else self.past.recall(self.count, asked)
        if noisy is None:
            noisy = self._noisy(computed(value), self.std(sensitivity), name, symmetric)
            if self.past is not None:
                self.past.keep(noisy, asked)
        self.names.add(name)
        dim = noisy.shape[-1]
        numbers = noisy.numel() // dim * (dim + 1) // 2 if symmetric else noisy.numel()
        self.wire_bytes += 4 * numbers
        if self.keep:
            std = self.std(sensitivity)
            self.seen.append(Released(name, noisy, std, sensitivity, symmetric))
        return noisy

    def _noisy(
        self, value: Tensor, std: float, name: tuple[object, ...], symmetric: bool
    ) -> Tensor:
        """The value with noise of its own, float64 on the CPU."""
        if symmetric and (value.ndim < 2 or value.shape[-1] != value.shape[-2]):
            raise ValueError(f"{name} is of shape {tuple(value.shape)}; it must be square")
        if not bool(torch.isfinite(value).all()):
            raise BadInput(f"what {name[0]} sums is not finite: a smaller learning rate may help")
        noisy = value.double().cpu()
        if self.noise_multiplier > 0:
            noise = normal(noisy.shape, torch.float64, self.draw("noise", *name))
            if symmetric:
                noise = (noise + noise.mT) / 2
            noisy = noisy + std * noise
        return noisy


@contextmanager
def count_use(mechanism: Gaussian, releases: int, rate: float) -> Iterator[Gaussian]:
    """Let a method use a mechanism, and check that it has released what was accounted for.

    Raises:
        RuntimeError: it released more, or less, than ``releases``, or was accounted as sampling
            at ``rate`` < 1 and did not so before every release: its account is wrong.
    """
    yield mechanism
    if rate < 1 and list(mechanism.rates.values()) != [rate] * releases:
        raise RuntimeError(f"not every release was of a new sample of rate {rate:.6g}")
    if mechanism.count != releases:
        raise RuntimeError(
            f"there were {mechanism.count} releases, and {releases} were accounted for"
        )
