"""The candidate game (Hayes et al. 2023): which of N known (image, label) pairs was it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching import candidate_gradients, flatten, replay
from defenses import BadInput, Release

CANDIDATES = 64
"""N, the private pair included; fewer where the adversary has fewer images."""
KEPT_VALUES = 192 * 2**20
"""The candidates' gradients stay in memory up to so many values (768 MiB); those of larger models
are made again for every release."""
SLICE_VALUES = 16 * 2**20
"""They are made so many values at a time."""
SAME = 1e-5
"""Relative distance within which two candidates explain alike: rounding must not name one."""


@dataclass(frozen=True)
class Lineup:
    """The N - 1 candidates beside the private one, for batches of one example.

    They are further images of the private one's own split. The bound on this game is an average
    over candidates, so the private one must be as likely to be any of them: an image whose like
    the others are not, in its labels or its gradient's norm, may be named more often than that.

    Attributes:
        model: the victim.
        loss: the victim's.
        images: (N - 1, C, H, W) in [0, 1], on the model's device.
        labels: (N - 1,) int64, their true labels.
    """

    model: nn.Module
    loss: Loss
    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, model: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> Lineup:
        """At most N - 1 candidates from images (M, C, H, W) and labels (M,)."""
        device = next(model.parameters()).device
        few = slice(CANDIDATES - 1)
        return cls(model, loss, images[few].to(device), labels[few].to(device))

    @property
    def size(self) -> int:
        """N, the private candidate included."""
        return len(self.images) + 1

    def rank(
        self,
        release: Release,
        threat: Threat,
        own: Mapping[str, Tensor],
        *,
        generator: torch.Generator,
    ) -> int:
        """The place, 1 to N, of the pair whose gradients are ``own``; see `rank`."""
        return rank(release, threat, own, self._gradients(), generator=generator)

    def _gradients(self) -> Iterable[Mapping[str, Tensor]]:
        return self._kept if len(self.images) * self._values <= KEPT_VALUES else self._slices()

    @property
    def _values(self) -> int:
        return max(1, sum(p.numel() for p in self.model.parameters() if p.requires_grad))

    @cached_property
    def _kept(self) -> list[dict[str, Tensor]]:
        return list(self._slices())

    def _slices(self) -> Iterator[dict[str, Tensor]]:
        count = max(1, SLICE_VALUES // self._values)
        for x, y in zip(self.images.split(count), self.labels.split(count), strict=True):
            yield candidate_gradients(self.model, self.loss, x, y, differentiable=False)


def rank(
    release: Release,
    threat: Threat,
    own: Mapping[str, Tensor],
    others: Iterable[Mapping[str, Tensor]],
    *,
    generator: torch.Generator,
) -> int:
    """The place of the true candidate when the adversary sorts all by how well they explain.

    An adaptive adversary replays the defense on each candidate and sorts by squared distance to
    the release. Under white Gaussian noise on the visible coordinates that is the likelihood
    (Hayes et al. 2023, Section 4), so no one does better with equally likely candidates. Noise
    of another shape (`gep`'s is larger in its subspace) is not whitened. A naive one sorts
    gradients by their cosine with the release, which clipping does not change; their distance
    would favour short gradients whatever was released.

    Args:
        release: of a batch of one example.
        threat: ``defense`` and ``adaptive`` are used.
        own: gradient of the true candidate, name -> (1, *shape).
        others: gradients of the rest in any number of slices, name -> (n, *shape).
        generator: breaks ties at random: k candidates that explain alike share k places.

    Returns:
        1 (named first) to N.

    Raises:
        BadInput: NaN or infinite gradients.
    """
    observed = flatten(release.update).double()
    truth = _explained(own, 0, release, threat)
    best = _misfit(truth, observed)
    limit = SAME * float(truth.norm())
    better = ties = 0
    for part in others:
        for index in range(len(next(iter(part.values())))):
            candidate = _explained(part, index, release, threat)
            misfit = _misfit(candidate, observed)
            if misfit == best or float((candidate - truth).norm()) <= limit:
                ties += 1
            elif misfit < best:
                better += 1
    return 1 + better + int(torch.randint(ties + 1, (1,), generator=generator))


@torch.no_grad()
def _explained(grads: Mapping[str, Tensor], index: int, release: Release, threat: Threat) -> Tensor:
    """(P,) the update that one candidate would have caused; of unit norm if naive."""
    replayed = replay({k: g[index : index + 1] for k, g in grads.items()}, release, threat)
    flat = flatten({k: replayed[k] for k in release.update}).double()
    return flat if threat.adaptive else nn.functional.normalize(flat, dim=0)


def _misfit(explained: Tensor, observed: Tensor) -> float:
    """Squared distance less the release's own square, which all share and would swamp the rest."""
    value = float(explained @ explained - 2 * (explained @ observed))
    if not abs(value) < float("inf"):
        raise BadInput("a candidate's gradient, or the release, holds NaN or infinite values")
    return value
