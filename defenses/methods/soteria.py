"""Soteria (Sun, Li, Wang, Pang, Yang, Chen and Li 2021, CVPR, arXiv 2012.06043)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.compression import Compression
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.errors import BadInput
from defenses.options import option


@registry.register("soteria")
@dataclass(frozen=True)
class Soteria(Compression):
    """Hide the features that a fully connected layer is fed with: drop their columns.

    A linear layer's weight gradient has a column per feature, and its length is the feature's
    size. The features to hide are those with the largest |r_f| / ||dr_f/dx||; all other layers
    are sent as they are. A defense sees gradients, not the network, so the slopes ||dr_f/dx||
    are taken to be alike and the largest columns go. One choice per batch, as in the published
    code.

    Guarantee: none; what is dropped depends on the data. (The paper bounds the distance of the
    hidden representation from the true one, not what other layers give away.) Known attack:
    skip what was pruned (Balunovic et al. 2022): the convolutions in front of the
    layer have the image still, once the empty columns are not matched.
    """

    rate: float = option(
        0.8, "share of the layer's input features dropped", low=0, high=1, open_high=True
    )
    layer: str = option("", "name of the linear layer; the last one where none is given")

    def defended(self, like: Mapping[str, Tensor]) -> str:
        """Name of the weight that is pruned.

        Raises:
            BadInput: there is no such linear layer.
        """
        linear = [k for k, v in like.items() if v.ndim == 2]
        wanted = [k for k in linear if k in (self.layer, f"{self.layer}.weight")]
        if not linear or (self.layer and not wanted):
            known = ", ".join(k.removesuffix(".weight") for k in linear) or "none"
            raise BadInput(f"soteria: no linear layer {self.layer or 'at all'!r}; there is {known}")
        return wanted[-1] if wanted else linear[-1]

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """All of it but the layer's largest columns; the wire carries a bit per column."""
        name = self.defended(mean)
        length = mean[name].norm(dim=0)
        gone = length.topk(int(self.rate * len(length))).indices
        update = dict(mean)
        update[name] = mean[name].index_fill(1, gone, 0.0)
        values = sum(v.numel() for v in mean.values()) - len(gone) * len(mean[name])
        return update, WIRE_BYTES_PER_VALUE * values + -(-len(length) // 8)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' mean gradient without the columns that are missing."""
        full = super().replay(grads, release)
        name = self.defended(full)
        full[name] = full[name] * (release.update[name] != 0).any(0)
        return full
