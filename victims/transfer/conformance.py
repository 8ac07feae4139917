"""Structural checks of a method: how far an example moves what it asks for, under which noise.

>>> import victims.transfer
>>> from victims.transfer.conformance import examine
>>> all(finding.holds for finding in examine(victims.transfer.get("dp-fc", steps=2)))
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from defenses import stream
from defenses.conformance.finding import Finding, Verdict, finding_of
from defenses.privacy.full_batch import mu_of_releases
from victims.training.streams import Keyed
from victims.transfer.contract import Method, Problem, bounded
from victims.transfer.mechanism import Gaussian

EXAMPLES, DIM, CLASSES = 40, 24, 4
ADDED = 12
"""How many examples join, one at a time, under each label and each past."""
SCALES = (0.0, 1.0, 1e3)
"""Of what the method is answered: heads of 0, of a size as usual, and sure of everything."""
ROUNDING = 1e-5
ALIKE = 0.9
"""Two noises correlate more only where they are one."""
NOISE = 3.0
Make = Callable[[Keyed], Gaussian]


@dataclass
class Scripted:
    """Answers with numbers that do not depend on the data, so that two data sets have one past.

    Attributes:
        scale: of the answers.
        seed: of the answers.
        asked: name -> what was asked for, without noise, and the sensitivity that was stated.
    """

    scale: float
    seed: int
    asked: dict[tuple[object, ...], tuple[Tensor, float]] = field(default_factory=dict)

    def release(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        """Random numbers of the value's shape."""
        self.asked[name] = value.double(), sensitivity
        draw = stream(self.seed, "scripted", *name)
        return self.scale * torch.randn(value.shape, generator=draw, dtype=torch.float64)

    def release_symmetric(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        """Unit matrices."""
        self.asked[name] = value.double(), sensitivity
        return torch.eye(value.shape[-1], dtype=torch.float64).expand(value.shape)

    def std(self, sensitivity: float) -> float:
        """As under no noise at all."""
        return 0.0

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """All examples."""
        return torch.arange(examples)


def private(seed: int = 0) -> Problem:
    """A few examples, of norm 1, of every class."""
    rows = torch.randn(EXAMPLES, DIM, generator=stream(seed, "examples"))
    return Problem(bounded(rows), torch.arange(EXAMPLES) % CLASSES, CLASSES, EXAMPLES)


def movements(method: Method, seed: int = 0) -> dict[tuple[object, ...], tuple[float, float]]:
    """Name of a release -> the farthest that an added example moves it, and what is stated.

    Examples at the norm's limit join under every label, into heads that know nothing and heads
    that are sure. Movement of a symmetric matrix is measured in Frobenius norm.
    """
    farthest: dict[tuple[object, ...], tuple[float, float]] = {}
    problem = private(seed)
    for scale in SCALES:
        before = Scripted(scale, seed)
        method.fit(problem, before)
        for other in _joined(problem, seed):
            after = Scripted(scale, seed)
            method.fit(other, after)
            for name, (value, stated) in after.asked.items():
                moved = float((value - before.asked[name][0]).norm())
                farthest[name] = max(farthest.get(name, (0.0, stated)), (moved, stated))
    return farthest


def _joined(problem: Problem, seed: int) -> Iterator[Problem]:
    rows = torch.randn(ADDED, DIM, generator=stream(seed, "joined"))
    for row in bounded(rows):
        for label in range(CLASSES):
            features = torch.cat([problem.features, row[None]])
            labels = torch.cat([problem.labels, torch.tensor([label])])
            yield Problem(features, labels, problem.classes, problem.size)


def sensitivity(method: Method, make: Make) -> Verdict:
    """No release moves farther by one example than the sensitivity that its noise is set by."""
    found = movements(method)
    name, (moved, stated) = max(found.items(), key=lambda item: item[1][0] / item[1][1])
    told = f"{name[0]} moves by {moved:.6g} at most; {stated:.6g} is stated"
    return moved <= stated * (1 + ROUNDING), told


def account(method: Method, make: Make) -> Verdict:
    """As many releases are made as the method says, and each is another."""
    mechanism = make(Keyed(0, "account"))
    method.fit(private(), mechanism)
    mu, stated = (mu_of_releases([NOISE] * count) for count in (mechanism.count, method.releases()))
    return math.isclose(mu, stated), f"releases come to mu {mu:.6g}; {stated:.6g} is accounted for"


def noise(method: Method, make: Make) -> Verdict:
    """Every class and every step has noise of its own, of the stated size.

    Noises of two rows, or of two releases, that are one cancel in a difference.
    """
    mechanism = make(Keyed(0, "noise"))
    mechanism.keep = True
    raw: dict[tuple[object, ...], Tensor] = {}
    method.fit(private(), _Watched(mechanism, raw))
    drawn: list[tuple[str, Tensor]] = []
    for release in mechanism.seen:
        left = release.value - raw[release.name]
        size = float(left.square().mean().sqrt())
        # Of a symmetric one the numbers beside the diagonal have half of the variance.
        stated = release.std * (math.sqrt(0.5 + 0.5 / DIM) if release.symmetric else 1.0)
        if not 0.6 < size / stated < 1.6:
            return False, f"{release.name[0]} has noise of std {size:.4g}; {stated:.4g} is stated"
        parts = left.reshape(-1, DIM, DIM).flatten(1) if release.symmetric else left
        drawn += [(f"{release.name} row {row}", part) for row, part in enumerate(parts)]
    for turn, (one, first) in enumerate(drawn):
        for other, second in drawn[:turn]:
            if first.shape == second.shape:
                pair = torch.stack([first, second])
                if float(torch.corrcoef(pair)[0, 1].abs()) > ALIKE:
                    return False, f"the noise of {other} is that of {one}"
    return True, f"{len(drawn)} noises of the stated size, none of them twice"


@dataclass
class _Watched:
    """A mechanism of which somebody notes what it was asked for before noise."""

    inner: Gaussian
    raw: dict[tuple[object, ...], Tensor]

    def release(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        self.raw[name] = value.double()
        return self.inner.release(value, sensitivity, *name)

    def release_symmetric(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        self.raw[name] = value.double()
        return self.inner.release_symmetric(value, sensitivity, *name)

    def std(self, sensitivity: float) -> float:
        return self.inner.std(sensitivity)

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        return self.inner.sample(examples, rate, *name)


CHECKS: tuple[Callable[[Method, Make], Verdict], ...] = (sensitivity, account, noise)


def honest(draw: Keyed) -> Gaussian:
    """The mechanism of this project."""
    return Gaussian(NOISE, draw)


def examine(method: Method, make: Make = honest) -> list[Finding]:
    """Every check's finding.

    Args:
        method: any; one that samples must have a batch size of at most `EXAMPLES`.
        make: makes the mechanism that is looked at, with noise multiplier `NOISE`.
    """
    return [finding_of(check.__name__, lambda c=check: c(method, make)) for check in CHECKS]  # type: ignore[misc]
