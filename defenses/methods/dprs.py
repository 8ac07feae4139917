"""Randomly sparsified DP-SGD (Zhu and Blaschko 2023, TMLR, arXiv 2112.00845)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.sparsified import Sparsified
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.gradients import apply_mask, clipped_sum
from defenses.methods.dpsgd import DPSGD


@registry.register("dprs")
@dataclass(frozen=True)
class DPRS(Sparsified, DPSGD):
    """Drop a random share of all coordinates together, then DP-SGD on those kept.

    The mask is drawn without looking at the data, so the sensitivity stays C and the
    guarantee is DP-SGD's, no more: sparsity buys no epsilon. The mask is public. Noise falls
    on kept coordinates only; the wire carries these, for a shared seed gives the indices.

    Known attack: match the kept coordinates only, after the same clipping, with an image prior;
    and, when the rate cools down, attack the first epoch, which is dense.
    """

    factored: ClassVar[bool] = True
    skips_unfinite: ClassVar[bool] = True

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """The mask of this step and its rate."""
        return self.mask_at(like, step, steps, generator)

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the gradients, each masked and then clipped."""
        dense = plan.get("rate") == 0
        return clipped_sum(grads if dense else apply_mask(grads, plan["mask"]), self.clip)

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`; what was dropped stays zero and does not travel."""
        noisy = super().finish(total, plan, batch_size=batch_size, generator=generator)
        update = {k: v * plan["mask"][k] for k, v in noisy.update.items()}
        values = sum(v.numel() for v in update.values())
        kept = values - int(plan["rate"] * values)  # not counted, for a GPU would be waited for
        return Release(update, noisy.public, WIRE_BYTES_PER_VALUE * kept)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """Mask, clip, average; a mask that was not written down is read off the zeros."""
        known = dict(release.public)
        known.setdefault("mask", {k: v != 0 for k, v in release.update.items()})
        return super().replay(grads, Release(release.update, known))
