"""The checks: one function a claim of the contract."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.conformance.finding import Verdict
from defenses.privacy.full_batch import mu_of_releases
from victims.training.streams import Repeatable
from victims.transfer.conformance.neighbours import (
    DIM,
    SHAPES,
    movements,
    neighbouring_fits,
    private,
)
from victims.transfer.conformance.scripted import EXAMPLES
from victims.transfer.contract import Method
from victims.transfer.mechanism import Gaussian, Sum, computed

ROUNDING = 1e-6

ALIKE = 0.9
"""Two noises correlate more only where they are one."""

NOISE = 3.0

NOTHING = 1e-9
"""Noise of less than this share of its std is what rounding left of none."""

Make = Callable[[Repeatable], Gaussian]


def sensitivity(method: Method, make: Make) -> Verdict:
    """No release moves farther by one example than the sensitivity that its noise is set by."""
    found = [item for shape in SHAPES for item in movements(method, shape=shape).items()]
    name, (moved, stated) = max(found, key=lambda item: item[1][0] / item[1][1])
    told = f"{name[0]} moves by {moved:.6g} at most; {stated:.6g} is stated"
    return moved <= stated * (1 + ROUNDING), told


def learned(method: Method, make: Make) -> Verdict:
    """The head depends on the examples through what was released, and through nothing else."""
    for _, _, one, other in neighbouring_fits(method, 0, SHAPES[0]):
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
    for before, after, _, _ in neighbouring_fits(method, 0, SHAPES[0], every=2):
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

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = self.raw[name] = computed(value).double()
        return self.inner.release(value, sensitivity, *name)

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = self.raw[name] = computed(value).double()
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
