"""How much likelier all that a head released is with one example than without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from defenses import BadInput
from victims.transfer import Method, Problem, Released
from victims.transfer.mechanism import Sum, computed


@dataclass
class Replay:
    """Answers a method with what another fit of it has released, and notes what it asked for.

    Attributes:
        seen: name -> release.
        asked: name -> what would have been released, without noise.
    """

    seen: dict[tuple[object, ...], Released]
    asked: dict[tuple[object, ...], Tensor] = field(default_factory=dict)

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """The release of that name, whatever the value."""
        self.asked[name] = computed(value).double().cpu()
        return self.seen[name].value

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        """The release of that name, whatever the value."""
        return self.release(value, sensitivity, *name)

    def std(self, sensitivity: float) -> float:
        """As when it was released: every release has one noise over its sensitivity."""
        first = next(iter(self.seen.values()))
        return first.std / first.sensitivity * sensitivity

    def sample(self, examples: int, rate: float, *name: object) -> Tensor:
        """Refuse: who was sampled is hidden, and this likelihood is of no mixture.

        Raises:
            BadInput: always.
        """
        raise BadInput(
            "heads are audited by methods whose releases are of all examples; for DP-SGD of the "
            "last layer take attacks.audit with --layers last"
        )


def log_ratios(
    method: Method, without: Problem, joined: Problem, seen: Sequence[Released]
) -> Tensor:
    """(releases,) log-likelihood of each release, given those before, with an example less without.

    The adversary knows everything but whether the example was there. Both data sets are taken
    through the method with the past that was seen, so that all difference is the example's own.
    Noise is isotropic (in Frobenius norm, where it is symmetric), so that a likelihood is told by
    a distance; no test tells the two apart better than the sum (Neyman and Pearson 1933).

    Args:
        method: of the fit.
        without: the data without the example.
        joined: with it.
        seen: all releases in their order, their noise above 0.

    Raises:
        BadInput: a method that samples, or releases without noise.
    """
    if any(release.std <= 0 for release in seen):
        raise BadInput("without noise everybody can tell who was there: there is nothing to audit")
    known = {release.name: release for release in seen}
    past = Replay(known), Replay(known)
    for problem, replay in zip((without, joined), past, strict=True):
        method.fit(problem, replay)
    found = []
    for release in seen:
        plain, more = (replay.asked[release.name] for replay in past)
        left = release.value - plain
        moved = more - plain
        found.append(float((moved * (left - moved / 2)).sum()) / release.std**2)
    return torch.tensor(found, dtype=torch.float64)
