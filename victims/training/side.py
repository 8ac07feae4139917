"""What is public beside a training's releases, for defenses that want to know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import cross_entropy

from defenses import Side
from victims.gradients import per_example_gradients
from victims.training.network import Network
from victims.training.plan import Plan


def side_at(
    plan: Plan,
    network: Network,
    start: Mapping[str, Tensor],
    public: tuple[Tensor, Tensor] | None,
    memory: dict[str, Tensor],
) -> Side:
    """What a training's defense wants to know of at this step, as far as it is public.

    Args:
        plan: of the training.
        network: at its weights of this step.
        start: the weights before the first step.
        public: (inputs, labels) that everyone knows.
        memory: what a defense that remembers knows, and may write to.
    """
    side, wants = plan.side, plan.defense.wants
    if "moved" in wants:
        moved = {k: p.detach() - start[k] for k, p in network.parameters.items()}
        side = dataclasses.replace(side, moved=moved)
    if "anchors" in wants and public is not None:
        inputs, labels = (part.to(network.device) for part in public)
        anchors = per_example_gradients(network.module, cross_entropy, inputs, labels)
        side = dataclasses.replace(side, anchors=anchors)
    if "memory" in wants:
        side = dataclasses.replace(side, memory=memory)
    return side
