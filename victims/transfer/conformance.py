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
from victims.training.streams import Repeatable
from victims.transfer.contract import Method, Problem, bounded
from victims.transfer.mechanism import Gaussian

EXAMPLES = 40
SHAPES = ((24, 4), (5, 11))
"""Features and classes: what is right for one number of classes may be wrong for more."""
DIM, CLASSES = SHAPES[0]
LABELS = 4
"""At most so many labels, with which an example joins."""
SCALES = (0.0, 1.0, 1e3, 1e300)
"""Of what the method is answered: heads of 0, of a size as usual, sure of everything, and such as
overflow."""
ROUNDING = 1e-6
ALIKE = 0.9
"""Two noises correlate more only where they are one."""
NOISE = 3.0
NOTHING = 1e-9
"""Noise of less than this share of its std is what rounding left of none."""
Make = Callable[[Repeatable], Gaussian]


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

    def release(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        """Random numbers of the value's shape."""
        self._note(value, sensitivity, name)
        draw = stream(self.seed, "scripted", *name)
        return self.scale * torch.randn(value.shape, generator=draw, dtype=torch.float64)

    def release_symmetric(self, value: Tensor, sensitivity: float, *name: object) -> Tensor:
        """Unit matrices."""
        self._note(value, sensitivity, name)
        return torch.eye(value.shape[-1], dtype=torch.float64).expand(value.shape)

    def std(self, sensitivity: float) -> float:
        """As under no noise at all."""
        return 0.0

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """See `every`."""
        self.drawn.append((name, rate))
        return torch.arange(examples if self.every == 1 else EXAMPLES)[:: self.every]

    def _note(self, value: Tensor, sensitivity: float, name: tuple[object, ...]) -> None:
        self.asked[name] = value.double(), sensitivity
        self.drawn.append((name, None))


def private(seed: int = 0, shape: tuple[int, int] = SHAPES[0]) -> Problem:
    """A few examples of every class, of a mean that is not 0 and of less norm than one may have.

    Args:
        seed: of the features.
        shape: the numbers of features and of classes.
    """
    dim, classes = shape
    rows = torch.randn(EXAMPLES, dim, generator=stream(seed, "examples")).abs()
    return Problem(0.9 * bounded(rows), torch.arange(EXAMPLES) % classes, classes, EXAMPLES)


def movements(
    method: Method, seed: int = 0, shape: tuple[int, int] = SHAPES[0]
) -> dict[tuple[object, ...], tuple[float, float]]:
    """Name of a release -> the farthest that an added example moves it, and what is stated.

    Examples at the norm's limit join under several labels, into heads that know nothing and heads
    that are sure. Movement of a symmetric matrix is measured in Frobenius norm.

    Raises:
        ValueError: with an example more, something else is asked for, or another sensitivity
            stated: whoever sees the noise then learns of the example.
    """
    farthest: dict[tuple[object, ...], tuple[float, float]] = {}
    for before, after, _, _ in _neighbours(method, seed, shape):
        if [(n, s) for n, (_, s) in before.asked.items()] != [
            (n, s) for n, (_, s) in after.asked.items()
        ]:
            raise ValueError("what is asked for, or a stated sensitivity, depends on the examples")
        for name, (value, stated) in after.asked.items():
            moved = float((value - before.asked[name][0]).norm())
            moved = moved if math.isfinite(moved) else math.inf
            farthest[name] = max(farthest.get(name, (0.0, stated)), (moved, stated))
    return farthest


def _neighbours(
    method: Method, seed: int, shape: tuple[int, int], every: int = 1
) -> Iterator[tuple[Scripted, Scripted, Tensor, Tensor]]:
    """What a method asks for, and the heads that it makes, without an example and with it."""
    problem = private(seed, shape)
    for scale in SCALES:
        before = Scripted(scale, seed, every)
        head = method.fit(problem, before)
        for other in _joined(problem, seed):
            after = Scripted(scale, seed, every)
            yield before, after, head, method.fit(other, after)


def _joined(problem: Problem, seed: int) -> Iterator[Problem]:
    """The examples with one more: anywhere, where one is already, or opposite to all of them."""
    known = problem.features[0]
    rows = [*torch.randn(3, problem.dim, generator=stream(seed, "joined")), known, -known]
    for row in bounded(torch.stack(rows)):
        for label in range(0, problem.classes, -(-problem.classes // LABELS)):
            features = torch.cat([problem.features, row[None]])
            labels = torch.cat([problem.labels, torch.tensor([label])])
            yield Problem(features, labels, problem.classes, problem.size)


def sensitivity(method: Method, make: Make) -> Verdict:
    """No release moves farther by one example than the sensitivity that its noise is set by."""
    found = [item for shape in SHAPES for item in movements(method, shape=shape).items()]
    name, (moved, stated) = max(found, key=lambda item: item[1][0] / item[1][1])
    told = f"{name[0]} moves by {moved:.6g} at most; {stated:.6g} is stated"
    return moved <= stated * (1 + ROUNDING), told


def learned(method: Method, make: Make) -> Verdict:
    """The head depends on the examples through what was released, and through nothing else."""
    for _, _, one, other in _neighbours(method, 0, SHAPES[0]):
        if not torch.allclose(one, other, rtol=1e-9, atol=0, equal_nan=True):
            return False, "with the same releases, the head is another where an example joins"
    return True, "with the same releases, the head is the same"


def sampling(method: Method, make: Make) -> Verdict:
    """Who samples does it before every release anew, at the rate that is accounted for.

    An example that is in no sample then moves nothing.
    """
    rate = method.sample_rate(EXAMPLES)
    if rate == 1:
        return True, "every example is accounted for in every release"
    for before, after, _, _ in _neighbours(method, 0, SHAPES[0], every=2):
        samples, releases = before.drawn[::2], before.drawn[1::2]
        fresh = len({name for name, _ in samples}) == len(samples) == len(releases)
        if not fresh or {r for _, r in samples} != {rate} or {r for _, r in releases} != {None}:
            return False, f"not every release is of a sample of its own at the rate {rate:.6g}"
        for name, (value, _) in after.asked.items():
            if not torch.allclose(value, before.asked[name][0]):
                return False, f"{name[0]} moves by an example that is in no sample"
    return True, f"every release is of a sample of its own at the rate {rate:.6g}"


def account(method: Method, make: Make) -> Verdict:
    """As many releases are made as the method says, and each is another."""
    mechanism = make(Repeatable(0, "account"))
    method.fit(private(), mechanism)
    mu, stated = (mu_of_releases([NOISE] * count) for count in (mechanism.count, method.releases()))
    return math.isclose(mu, stated), f"releases come to mu {mu:.6g}; {stated:.6g} is accounted for"


def noise(method: Method, make: Make) -> Verdict:
    """Every number has noise, every class and every step its own, of the stated size.

    Noises of two rows, or of two releases, that are one cancel in a difference.
    """
    mechanism = make(Repeatable(0, "noise"))
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
        bare = int((left.abs() < NOTHING * release.std).sum())
        if bare:
            return False, f"{bare} of {left.numel()} numbers of {release.name[0]} have no noise"
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


CHECKS: tuple[Callable[[Method, Make], Verdict], ...] = (
    sensitivity,
    learned,
    sampling,
    account,
    noise,
)


def honest(draw: Repeatable) -> Gaussian:
    """The mechanism of this project."""
    return Gaussian(NOISE, draw)


def examine(method: Method, make: Make = honest) -> list[Finding]:
    """Every check's finding.

    Args:
        method: any; one that samples must have a batch size of at most `EXAMPLES`.
        make: makes the mechanism that is looked at, with noise multiplier `NOISE`.
    """
    return [finding_of(check.__name__, lambda c=check: c(method, make)) for check in CHECKS]  # type: ignore[misc]
