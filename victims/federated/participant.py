"""A participant: what it makes of a download, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from defenses.gradients import flat, split
from victims.federated.inform import inform
from victims.federated.local import difference_after, put
from victims.federated.plan import Plan
from victims.gradients import per_example_gradients
from victims.training.sampling import poisson_batch
from victims.training.streams import Streams

LOCAL, MEMORY = "local.", "memory."
"""Beginnings of the names under which a participant keeps its parameters, and its defense's
memory."""


@dataclass(frozen=True)
class Participant:
    """One participant.

    Attributes:
        plan: the federation's.
        index: from 0.
        images: (n, C, H, W) in [0, 1], its own.
        labels: (n,) int64.
        model: whose parameters it may overwrite; shared with others in one process.
        start: parameter name -> where everybody starts.
        draw: makes the participant's generators.
    """

    plan: Plan
    index: int
    images: Tensor
    labels: Tensor
    model: nn.Module
    start: Mapping[str, Tensor]
    draw: Streams

    def upload(
        self, weights: Mapping[str, Tensor], round: int, kept: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """What leaves the participant in a round, name -> tensor, 0 where nothing is sent.

        Args:
            weights: the parameters that it begins with.
            round: from 0.
            kept: what it keeps from round to round; changed.
        """
        f, plan = self.plan.federation, self.plan
        rows = (
            self.gradient(weights, round) if f.rule == "fedsgd" else self.difference(weights, round)
        )
        if f.theta_d < 1:
            kept.update({LOCAL + k: weights[k] - v[0] for k, v in rows.items()})
        noise = self.draw("noise", self.index, round)
        if plan.sparse is not None:
            vector = flat({k: v[0] for k, v in rows.items()})
            return split(plan.sparse.upload(vector, noise), weights)
        if f.where == "server":
            size = f.batch_size if f.rule == "fedsgd" else 1
            return {k: v.sum(0) / size for k, v in rows.items()}
        memory = {k.removeprefix(MEMORY): v for k, v in kept.items() if k.startswith(MEMORY)}
        release = inform(plan, weights, self.start, memory).release(
            rows, step=round, steps=f.rounds, batch_size=plan.divisor, generator=noise
        )
        kept.update({MEMORY + k: v for k, v in memory.items()})
        return release.update

    def begin(self, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters that a download is laid onto: its own, or where everybody starts."""
        return {k: kept.get(LOCAL + k, v) for k, v in self.start.items()}

    def difference(self, weights: Mapping[str, Tensor], round: int) -> dict[str, Tensor]:
        """(1, *shape) of each parameter: one participant is one example of what defends it."""
        f = self.plan.federation
        moved = difference_after(
            self.model,
            weights,
            self.images,
            self.labels,
            lr=f.lr,
            batch=f.batch_size,
            epochs=f.epochs,
            generator=self.draw("order", self.index, round),
        )
        return {k: v[None] for k, v in moved.items()}

    def gradient(self, weights: Mapping[str, Tensor], round: int) -> dict[str, Tensor]:
        """(B, *shape) per-example gradients of a Poisson batch, which may be empty."""
        put(self.model, weights)
        # The public number of examples, which is accounted, is not always the true one.
        rate = min(1.0, self.plan.federation.batch_size / self.plan.examples)
        index = poisson_batch(len(self.labels), rate, self.draw("batch", self.index, round))
        if not len(index):
            return {k: v.new_zeros(0, *v.shape) for k, v in weights.items()}
        return dict(
            per_example_gradients(self.model, cross_entropy, self.images[index], self.labels[index])
        )
