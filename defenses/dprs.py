"""Randomly sparsified DP-SGD (Zhu and Blaschko 2023, TMLR, arXiv 2112.00845)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, batch_of, registry
from defenses.dpsgd import DPSGD
from defenses.gradients import add_noise, child, clip, mean, random_mask
from defenses.registry import option


@registry.register("dprs")
@dataclass(frozen=True)
class DPRS(DPSGD):
    """Drop a random share of all coordinates together, then DP-SGD on those kept.

    The mask is drawn without looking at the data, so the sensitivity stays C and the
    guarantee is DP-SGD's, no more: sparsity buys no epsilon. The mask is public.

    Known attack: match the kept coordinates only, after the same clipping, with an image prior.
    """

    rate: float = option(0.9, "share of coordinates dropped", low=0, high=1, open_high=True)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`; the mask comes first and from a generator of its own."""
        size = batch_of(grads, batch_size)
        public = self.public(size)
        mask = random_mask({k: g.sum(0) for k, g in grads.items()}, self.rate, child(generator))
        update = mean(clip({k: g * mask[k] for k, g in grads.items()}, self.clip), size)
        update = add_noise(update, public["noise_std"], generator)
        update = {k: v * mask[k] for k, v in update.items()}
        kept = sum(int(m.sum()) for m in mask.values())
        return Release(update, {**public, "mask": mask}, WIRE_BYTES_PER_VALUE * kept)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """Mask, clip, average; a mask that was not written down is read off the zeros."""
        mask = release.public.get("mask") or {k: v != 0 for k, v in release.update.items()}
        masked = {k: g * mask[k] for k, g in grads.items()}
        return super().replay(masked, release)
