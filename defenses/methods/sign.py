"""signSGD (Bernstein, Wang, Azizzadenesheli and Anandkumar 2018, ICML, arXiv 1802.04434)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses.bases.compression import Compression, coded_bytes
from defenses.contract import Gradients, Release, registry
from defenses.options import option


@registry.register("sign")
@dataclass(frozen=True)
class Sign(Compression):
    """Send the sign of every coordinate of the mean gradient; an exact zero stays zero.

    Guarantee: none; the sign of a gradient is a function of the data. Known attack: every sign
    is a half-space in which the true gradient lies, and thousands of them pin down an image: ask
    of candidates that their gradient lies in all (as in one-bit compressed sensing, Jacques et
    al. 2013), not that it has the length of the signs.
    """

    scale: float = option(1e-3, "length of every coordinate", low=0, open_low=True)

    def compress(
        self, mean: Mapping[str, Tensor], plan: Mapping[str, Any], generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int]:
        """Signs times the scale. One bit each; two where exact zeros must be told apart."""
        update = {k: self.scale * v.sign() for k, v in mean.items()}
        whole = all(bool(v.all()) for v in update.values())
        return update, coded_bytes(update, 1 if whole else 2)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The released sign wherever the candidates' agrees, else off by as much as they disagree.

        One-sided, so that it has slopes where they are wanted: a coordinate of the wrong sign
        and the tensor's root-mean-square size gives the wrong sign, smaller ones something in
        between. Lengths say nothing; they are taken in units of the candidates' own.
        """
        explained = {}
        for name, mean in super().replay(grads, release).items():
            seen = release.update[name].to(mean)
            size = mean.square().mean().clamp(min=torch.finfo(mean.dtype).tiny).sqrt()
            sign = seen.sign()
            wrong = 2 * sign * (sign * mean / size).clamp(max=0)
            explained[name] = seen + self.scale * torch.where(sign == 0, mean / size, wrong)
        return explained

    def noise_after(self, std: float) -> float:
        """Noise turns signs, and the replay is then off by about the length of one."""
        return self.scale if std > 0 else 0.0
