"""Defenses that send selected coordinates of the update, each truncated to a range."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.compression import Compression
from defenses.contract import FOLLOWED, WIRE_BYTES_PER_VALUE, Gradients, Release
from defenses.gradients import flat, split
from defenses.options import option


@dataclass(frozen=True)
class Selected(Compression):
    """A `Compression` by its `select`; what is selected is truncated to [-gamma, gamma].

    ``gamma`` has the unit of what is released: a gradient's, or after local steps a weight
    difference's.
    """

    apart: ClassVar[bool] = False  # coordinates of all layers compete

    gamma: float = option(
        10.0, "what is sent is truncated to [-gamma, gamma]", low=0, open_low=True
    )

    @abstractmethod
    def select(self, sizes: Tensor, generator: torch.Generator) -> Tensor:
        """(P,) bool, True for the coordinates that are sent.

        Args:
            sizes: (P,) magnitudes of the update's coordinates, before truncation.
            generator: CPU generator, for a selection that draws.
        """

    @abstractmethod
    def largest_unsent(self, sizes: Tensor) -> float:
        """What the magnitude of no coordinate exceeds that was not sent; infinite if unknown.

        Args:
            sizes: (P,) magnitudes of the released coordinates; 0 where nothing was sent.
        """

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """The selected coordinates; a value and an index travel for each, or all the values."""
        values = flat(mean)
        sent = self.select(values.abs(), generator)
        update = values.clamp(-self.gamma, self.gamma) * sent
        count = int(sent.sum())
        per_value = WIRE_BYTES_PER_VALUE * (1 if count == len(values) else 2)
        return split(update, mean), per_value * count

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """What the release says of the candidates' mean gradient, coordinate by coordinate.

        One that was sent within the range is known. One at the end of the range is at least that
        large, so that a candidate beyond it explains it. One that was not sent is no larger than
        `largest_unsent`, and is off by what it is larger. Each has a slope where it is off. In a
        chain a later stage may have dropped or rounded what was sent, so that nothing is known of
        what is missing.
        """
        full = super().replay(grads, release)
        seen = {k: release.update[k].to(v) for k, v in full.items()}
        known = not release.public.get(FOLLOWED, False)
        bound = self.largest_unsent(flat(seen).abs()) if known else math.inf
        explained = {}
        for name, mean in full.items():
            sign = seen[name].sign()
            beyond = sign * (sign * mean).clamp(max=self.gamma)
            excess = mean - mean.clamp(-bound, bound) if bound < math.inf else 0 * mean
            # Rounding to another type than the release's must not hide that it was truncated.
            at_end = seen[name].abs() >= self.gamma * (1 - 1e-6)
            sent = torch.where(at_end, beyond, mean)
            explained[name] = torch.where(seen[name] != 0, sent, excess)
        return explained
