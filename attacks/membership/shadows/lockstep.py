"""Trains several models of a Scenario at the same time, each as if it trained alone.

Their weights are stacked, and the forward and backward passes and the defense's contributions of
all of them run under one `torch.func.vmap`. Everything that draws at random or keeps a state
(batch, views, mask, noise, optimiser, average) stays with the model's own trainer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from attacks.membership.shadows.stacking import pad, stack
from defenses import Release, Summed
from defenses.finite import all_finite, blank
from defenses.precision import full_precision
from victims.gradients import chunk_size, gradients_at
from victims.gradients.logits_at import logits_at
from victims.training.trainer import Trainer

Batch = tuple[Tensor, Tensor]


class Lockstep:
    """Advances trainers together, each as it would alone, up to rounding.

    From here on each trainer's weights are views of the stacked ones, so that its own optimiser
    moves them, and it may also go on alone.

    Args:
        trainers: trainers of the same `Training` but for the seed, at the same step, for which
            `attacks.membership.shadows.obstacles.obstacle` found none.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        first = self.trainers[0]
        self.net = first.net
        self.outer, self.linear = first.network.outer, first.network.linear
        parameters, buffers = stack_module_state([t.net for t in self.trainers])
        everything = {k: v.detach() for k, v in (parameters | buffers).items()}
        for i, trainer in enumerate(self.trainers):
            for named in (trainer.net.named_parameters(), trainer.net.named_buffers()):
                for name, value in named:
                    value.data = everything[name][i]
        self.weights = {k: everything[k] for k in first.parameters}
        self.fixed = {k: v for k, v in everything.items() if k not in self.weights}

    @full_precision()
    def advance(self) -> list[Release]:
        """One step of every model. Returns what left each of them.

        Raises:
            BadInput: see `victims.training.trainer.Trainer.advance`; all weights are then as they
                were before.
        """
        batches: list[Batch] = []
        begun: list[tuple[Summed, dict[str, Any], torch.Generator]] = []
        for t in self.trainers:
            batches.append(t.batch()[:2])
            defense = t.informed()
            assert isinstance(defense, Summed)
            draw = t.draw("noise", t.step)
            plan = defense.plan(t.parameters, step=t.step, steps=t.plan.steps, generator=draw)
            begun.append((defense, plan, draw))
        totals = self.totals(begun[0][0], [plan for _, plan, _ in begun], batches)
        size = self.trainers[0].plan.training.batch_size
        releases = [
            defense.finish(total, plan, batch_size=size, generator=draw)
            for total, (defense, plan, draw) in zip(totals, begun, strict=True)
        ]
        for trainer, release in zip(self.trainers, releases, strict=True):
            trainer.follow(release)
        return releases

    @full_precision()
    def totals(
        self, defense: Summed, plans: Sequence[Mapping[str, Any]], batches: Sequence[Batch]
    ) -> list[dict[str, Tensor]]:
        """`victims.training.network.Network.total` of every model.

        Args:
            defense: the defense of any model; what tells them apart is in their plans.
            plans: one per model; their tensors are stacked, all else must be equal.
            batches: images, or views of them, and labels of each model, of any length.

        Raises:
            ValueError: the plans differ in something that is not a tensor.
        """
        plan, dims = stack(plans)
        longest = max(len(labels) for _, labels in batches)
        total = {k: torch.zeros_like(v) for k, v in self.weights.items()}
        if longest:
            images = torch.stack([pad(x, longest) for x, _ in batches])
            labels = torch.stack([pad(y, longest) for _, y in batches])
            places = torch.arange(longest, device=labels.device)
            real = torch.stack([places < len(y) for _, y in batches])
            if self.linear:
                total = vmap(self._sum)(self.weights, self.fixed, images, labels, real)
            else:
                act = partial(self._contribute, defense)
                every = vmap(act, in_dims=(0, 0, 0, 0, 0, dims))
                parts = (v.split(self._chunk(images), 1) for v in (images, labels, real))
                for part in zip(*parts, strict=True):
                    for name, value in every(self.weights, self.fixed, *part, plan).items():
                        total[name] = total[name] + value if name in total else value
        each = [{k: v[i] for k, v in total.items()} for i in range(len(batches))]
        if self.linear and not all_finite(total.values()):
            for i, sums in enumerate(each):
                if not all_finite(sums.values()):
                    # It hides which examples are not finite; the trainer looks at each.
                    each[i] = self.trainers[i].network.total(defense, plans[i], *batches[i])
        return each

    def _chunk(self, images: Tensor) -> int:
        """Examples of every model at a time; on a CPU those of all models share the cache."""
        views = images.shape[2] if images.ndim == 6 else 1
        fitting = chunk_size({k: v[0] for k, v in self.weights.items()}, views, self.outer)
        return fitting if images.device.type != "cpu" else max(1, fitting // len(self.trainers))

    def _contribute(
        self,
        defense: Summed,
        weights: dict[str, Tensor],
        fixed: dict[str, Tensor],
        images: Tensor,
        labels: Tensor,
        real: Tensor,
        plan: Mapping[str, Any],
    ) -> dict[str, Tensor]:
        """One model's contributions from per-example gradients; padding has the gradient zero."""
        views = images if images.ndim == 5 else images[:, None]
        grads = gradients_at(self.net, cross_entropy, weights, fixed, views, labels, self.outer)
        real_grads: dict[str, Any] = {k: blank(g, real) for k, g in grads.items()}
        return defense.contribute(real_grads, plan)

    def _sum(
        self,
        weights: dict[str, Tensor],
        fixed: dict[str, Tensor],
        images: Tensor,
        labels: Tensor,
        real: Tensor,
    ) -> dict[str, Tensor]:
        """One model's sum of gradients, which is what it contributes, from one backward pass."""
        flat = images.flatten(0, 1) if images.ndim == 5 else images
        views = len(flat) // len(images)

        def loss(weights: dict[str, Tensor]) -> Tensor:
            logits = logits_at(self.net, {**weights, **fixed}, flat)
            named = labels[:, None].expand(-1, views).flatten()
            each = cross_entropy(logits, named, reduction="none").unflatten(0, (-1, views))
            return torch.where(real[:, None], each, 0).sum() / views

        # Padding repeats a real row, which is as finite as the others; an empty batch has none.
        return {k: torch.where(real.any(), g, 0) for k, g in grad(loss)(weights).items()}
