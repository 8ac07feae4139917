"""Finds what keeps models from being trained in lockstep, before the training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from attacks.membership.shadows.lockstep import Batch, Lockstep
from defenses import Summed, preprocessing, stream
from defenses.errors import one_line
from victims.training.trainer import Trainer

SIZES = (3, 0, 2, 1)
"""Examples of each model's batch in the comparison: padding and an empty batch among them."""


def obstacle(trainers: Sequence[Trainer]) -> str:
    """Why these trainers cannot advance together, in a few words; empty where they can.

    What no rule names is found by comparing the contributions to a small batch, taken together,
    with those that each model takes alone.
    """
    first = trainers[0]
    name, defense = first.plan.training.defense, first.plan.defense
    if not isinstance(defense, Summed):
        return f"defense {name!r} is no sum over examples"
    if defense.wants:
        return f"defense {name!r} is told its {', '.join(sorted(defense.wants))} at each step"
    if any(t.join is not None for t in trainers):
        return "gradients join the batch"
    if preprocessing.draws(first.net):
        return f"defense {name!r} draws in the forward pass, otherwise together than alone"
    for place, module in first.net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return f"{place!r} is BatchNorm, whose statistics cannot be stacked"
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p:
            return f"{place!r} is dropout, which would draw otherwise than alone"
    try:
        return "" if _agree(trainers, defense) else "the sums differ from those taken alone"
    except Exception as error:  # vmap, a model or a defense of the user's own may say anything
        return f"{type(error).__name__}: {one_line(error, 120)}"


def _agree(trainers: Sequence[Trainer], defense: Summed) -> bool:
    """Whether contributions to a small batch are the same together and alone."""
    batches: list[Batch] = []
    plans, alone = [], []
    for i, t in enumerate(trainers):
        few, views = SIZES[i % len(SIZES)], t.plan.training.views
        images, labels = t.inputs[:few].to(t.device), t.labels[:few].to(t.device)
        if views > 1:
            images = images[:, None].expand(-1, views, *images.shape[1:])
        informed = t.informed()
        assert isinstance(informed, Summed)
        draw = stream(t.plan.training.seed, "trial")
        plan = informed.plan(
            t.parameters, step=t.plan.steps - 1, steps=t.plan.steps, generator=draw
        )
        batches.append((images, labels))
        plans.append(plan)
        alone.append(t.network.total(informed, plan, images, labels))
    together = Lockstep(trainers).totals(defense, plans, batches)
    return all(
        torch.allclose(b[k], a[k], rtol=1e-3, atol=1e-4 * float(a[k].abs().max()))
        for a, b in zip(alone, together, strict=True)
        for k in a
    )
