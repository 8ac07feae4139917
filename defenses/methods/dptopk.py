"""TP-TopK: two-phase top-k DP-SGD (Zhang and Xie 2026, arXiv 2606.04375)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.remembering import Remembering
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.gradients import apply_mask, clipped_sum, flat, split
from defenses.methods.dpsgd import DPSGD
from defenses.options import option


@registry.register("dptopk")
@dataclass(frozen=True)
class DPTopK(Remembering, DPSGD):
    """DP-SGD that first learns from its own noisy updates which coordinates matter.

    A warm-up of dense DP-SGD scores every coordinate by its mean squared noisy update less the
    noise's variance. Then a step is DP-SGD on the coordinates that scored highest: gradients are
    masked, then clipped, and noise falls on those coordinates only. Both phases have one clipping
    norm and one noise multiplier.

    Guarantee: that of ``dpsgd``, over all steps of both phases. Scores are functions of what
    earlier steps released, hence post-processing, and the mask is fixed before a batch is seen;
    masking before clipping leaves the sensitivity at C. (Choosing by the *private* gradient, as
    ``topk`` does, would be no guarantee at all.)

    Known attack: the warm-up is dense DP-SGD, and it comes when a gradient gives most away, so
    attack there; a single release is one of the warm-up. Later match the masked coordinates
    after the same clipping.
    """

    factored: ClassVar[bool] = True

    rate: float = option(
        0.9, "share of coordinates dropped after the warm-up", low=0, high=1, open_high=True
    )
    warmup_share: float = option(
        0.1, "share of the steps that are warm-up, at least one step", low=0, high=1
    )

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """After the warm-up the ``mask``, the same for all steps; before, or unscored, none."""
        known = self.recall()
        if step < max(1, round(self.warmup_share * steps)) or not known:
            return {}
        # The noise's variance is not subtracted: it is equal on all coordinates, so that the order
        # of the scores is the same without it.
        score = flat({k: known[k] for k in like})
        kept = len(score) - int(self.rate * len(score))
        keep = torch.zeros_like(score, dtype=torch.bool)
        keep[score.topk(kept).indices] = True
        return {"mask": split(keep, like)}

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the gradients, each masked and then clipped."""
        return clipped_sum(apply_mask(grads, plan["mask"]) if "mask" in plan else grads, self.clip)

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`; everyone can draw the mask, so indices do not travel."""
        noisy = super().finish(total, plan, batch_size=batch_size, generator=generator)
        if "mask" not in plan:
            known = self.recall()
            square = {k: v.square() for k, v in noisy.update.items()}
            self.remember({k: v + known[k] if k in known else v for k, v in square.items()})
            return noisy
        update = {k: v * plan["mask"][k] for k, v in noisy.update.items()}
        kept = int(torch.stack([m.sum() for m in plan["mask"].values()]).sum())
        return Release(update, noisy.public, WIRE_BYTES_PER_VALUE * kept)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """Mask, clip, average; a mask that was not written down is read off the zeros."""
        known = dict(release.public)
        seen = {k: v != 0 for k, v in release.update.items()}
        if "mask" not in known and not all(bool(m.all()) for m in seen.values()):
            known["mask"] = seen
        return super().replay(grads, Release(release.update, known, release.wire_bytes))
