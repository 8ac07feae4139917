"""What is left of a head's releases for whoever knows all examples but one, and what explains it.

The adversary takes the known examples out of every release by the method itself, and asks the
method again what an example would have added. So it is adaptive to every method whose requests are
sums over examples, a user's own included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.audit.heads.likelihood import Replay
from victims.transfer import Method, Problem, Released

Name = tuple[object, ...]


@dataclass(frozen=True)
class Residue:
    """One example's part in all releases, and their noise.

    Attributes:
        method: of the fit.
        known: the other examples.
        seen: name -> release.
        left: name -> the release less what the others added: noise and the sought one's part.
    """

    method: Method
    known: Problem
    seen: Mapping[Name, Released]
    left: Mapping[Name, Tensor]

    @classmethod
    def of(cls, method: Method, known: Problem, releases: Sequence[Released]) -> Residue:
        """Take the known examples out of all releases."""
        seen = {release.name: release for release in releases}
        past = Replay(seen)
        method.fit(known, past)
        left = {name: seen[name].value - past.asked[name] for name in seen}
        return cls(method, known, seen, left)

    def part(self, feature: Tensor, label: int) -> dict[Name, Tensor]:
        """What an example (d,) of a label would have added to every release."""
        only = dataclasses.replace(
            self.known, features=feature[None].to(self.known.features), labels=torch.tensor([label])
        )
        past = Replay(dict(self.seen))
        self.method.fit(only, past)
        return past.asked

    def weight(self, name: Name) -> float:
        """The inverse variance of a release's noise; without any all releases weigh alike."""
        return 1 / (self.seen[name].std or 1.0) ** 2

    def likelihood(self, parts: Mapping[Name, Tensor]) -> float:
        """How much likelier the releases are with an example than without, as a logarithm.

        Noise is isotropic, in Frobenius norm where it is symmetric (see
        `attacks.audit.heads.likelihood`), so no adversary names the right one of equally likely
        candidates more often than who takes the highest.

        Args:
            parts: what the example adds, some releases or all.
        """
        return sum(
            self.weight(name) * float((part * (self.left[name] - part / 2)).sum())
            for name, part in parts.items()
        )


def rank(
    residue: Residue, candidates: Tensor, labels: Sequence[int], *, generator: torch.Generator
) -> int:
    """The place of the first candidate among all by likelihood; equals share theirs at random.

    Args:
        residue: see `Residue`.
        candidates: (N, d) features, the sought one first.
        labels: N labels.
        generator: breaks ties.

    Returns:
        1 (named first) to N.
    """
    found = torch.tensor(
        [
            residue.likelihood(residue.part(feature, label))
            for feature, label in zip(candidates, labels, strict=True)
        ]
    )
    better, ties = int((found > found[0]).sum()), int((found == found[0]).sum()) - 1
    return 1 + better + int(torch.randint(ties + 1, (1,), generator=generator))
