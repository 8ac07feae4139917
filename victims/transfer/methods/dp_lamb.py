"""DP-LAMB: LAMB on noisy gradients of all examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import registry
from victims.transfer.descent import Descent


@registry.register("dp-lamb")
@dataclass(frozen=True)
class Lamb(Descent):
    """Full-batch LAMB (Mehta et al. 2022, Section 3)."""

    source = "Mehta et al. 2022, Section 3"

    lr: float = option(0.1, "learning rate", low=0, open_low=True)

    def optimizer(self, weights: list[Tensor]) -> torch.optim.Optimizer:
        """See `Descent.optimizer`."""
        return LAMB(weights, self.lr)


class LAMB(torch.optim.Optimizer):
    """Adam's step at the length of the weights (You et al. 2020, Algorithm 2, no weight decay).

    Where weights or step are 0, as at the start, the step keeps the length that Adam gives it.

    Args:
        weights: one layer a tensor.
        lr: the learning rate, > 0.
        decays: of the two moments, in [0, 1).
        eps: added to the root of the second moment.
    """

    def __init__(
        self,
        weights: list[Tensor],
        lr: float,
        decays: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
    ) -> None:
        super().__init__(weights, {"lr": lr, "decays": decays, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)

    def _move(self, weight: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[weight], group["decays"]
        if not state:
            state |= {"count": 0, "mean": 0 * weight, "square": 0 * weight}
        state["count"] += 1
        state["mean"].lerp_(slope, 1 - first)
        state["square"].lerp_(slope**2, 1 - second)
        mean = state["mean"] / (1 - first ** state["count"])
        square = state["square"] / (1 - second ** state["count"])
        move = mean / (square.sqrt() + group["eps"])
        lengths = float(weight.norm()), float(move.norm())
        trust = lengths[0] / lengths[1] if min(lengths) > 0 else 1.0
        weight -= group["lr"] * trust * move
