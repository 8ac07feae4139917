"""The candidate game (Hayes et al. 2023): which of N known (image, label) pairs was it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from attacks.invert.candidates.rank import rank
from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.gradients import candidate_gradients
from defenses import Defense, Release, preprocessing

KEPT_VALUES = 192 * 2**20
"""The candidates' gradients stay in memory up to so many values (768 MiB); those of larger models
are made again for every release."""
SLICE_VALUES = 16 * 2**20
SLICE_IMAGES = 8
"""They are made so many values and images at a time."""


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
        defense: one that may show images in several ways, all of which are considered; None:
            they are taken as they are.
    """

    model: nn.Module
    loss: Loss
    images: Tensor
    labels: Tensor
    defense: Defense | None = None
    _kept: list[dict[str, Tensor]] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        loss: Loss,
        images: Tensor,
        labels: Tensor,
        defense: Defense | None = None,
    ) -> Lineup:
        """The candidates of images (N - 1, C, H, W) and labels (N - 1,), wherever these lie."""
        device = next(model.parameters()).device
        return cls(model, loss, images.to(device), labels.to(device), defense)

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
        clock: Clock | None = None,
    ) -> int:
        """The place, 1 to N, of the pair whose gradients are ``own``; see `rank`.

        Raises:
            TimeIsUp: the clock ended the game; there is no place then.
        """
        clock = clock or Clock()
        few = len(self.images) * self._values * self.ways <= KEPT_VALUES
        if few and self._kept is None:
            object.__setattr__(self, "_kept", list(clock.watch(self._slices())))
        others = clock.watch(self._kept or self._slices())
        return rank(release, threat, own, others, ways=self.ways, generator=generator)

    @property
    def ways(self) -> int:
        """Gradients per candidate, one after the other."""
        return preprocessing.ways(self.defense) if self.defense else 1

    def gradients(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of candidates (n, C, H, W) with labels (n,), name -> (n * ways, *shape)."""
        if self.defense and self.ways > 1:
            each = [preprocessing.view(self.defense, images, way) for way in range(self.ways)]
            images, labels = torch.stack(each, 1).flatten(0, 1), labels.repeat_interleave(self.ways)
        return candidate_gradients(self.model, self.loss, images, labels, differentiable=False)

    @property
    def _values(self) -> int:
        return max(1, sum(p.numel() for p in self.model.parameters() if p.requires_grad))

    def _slices(self) -> Iterator[dict[str, Tensor]]:
        count = max(1, min(SLICE_IMAGES, SLICE_VALUES // (self._values * self.ways)))
        for x, y in zip(self.images.split(count), self.labels.split(count), strict=True):
            yield self.gradients(x, y)
