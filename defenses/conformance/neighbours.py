"""The examples that an adversary would add to a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from defenses.contract import Gradients

HUGE = 1e6


def neighbours(grads: Gradients, generator: torch.Generator) -> dict[str, dict[str, Tensor]]:
    """Name -> the gradient (1, *shape) of one example, chosen in the knowledge of a batch.

    Clipping too late shows along and against the sum of the others, microbatches against the
    last of them, clipping by parts on gradients of one part and of all, a data-dependent
    support on one coordinate. For an empty batch, those that need no others.
    """
    shapes = {k: (1, *g.shape[1:]) for k, g in grads.items()}
    like = next(iter(grads.values()))

    def drawn(scale: float) -> dict[str, Tensor]:
        return {
            k: scale * torch.randn(s, generator=generator, dtype=like.dtype).to(like.device)
            for k, s in shapes.items()
        }

    none = {k: g.new_zeros(shapes[k]) for k, g in grads.items()}
    found = {"huge": drawn(HUGE), "tiny": drawn(1 / HUGE), "zero": none}
    found["even"] = {k: torch.full_like(v, HUGE) for k, v in none.items()}
    for name, value in found["huge"].items():
        found[f"only {name}"] = none | {name: value}
        single = torch.zeros_like(value)
        single.view(-1)[int(torch.randint(value.numel(), (), generator=generator))] = HUGE
        found[f"one coordinate of {name}"] = none | {name: single}
    if len(like):
        total = {k: g.sum(0, keepdim=True) for k, g in grads.items()}
        found["along the others"] = {k: HUGE * v for k, v in total.items()}
        found["against the others"] = {k: -HUGE * v for k, v in total.items()}
        found["against the last"] = {k: -3 * g[-1:] for k, g in grads.items()}
        found["the last again"] = {k: g[-1:] for k, g in grads.items()}
    return found
