"""How much an upload looks as if an example had been in it, summed over rounds."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from attacks.membership.updates.watch import Seen
from defenses.gradients import squared_norms
from victims.federated.local import put
from victims.gradients import per_example_gradients
from victims.gradients.logits_at import logits_at

NAMES = ("fall", "cosine")
BESIDE = "-beside-others"
"""What the names of scores end in from which the mean over the other participants is taken."""
CHUNK = 100
"""Candidates that are asked about together."""


def of_upload(model: nn.Module, seen: Seen, images: Tensor, labels: Tensor) -> Tensor:
    """(2, N) float64: how much one upload looks as if each example had made a part of it.

    ``fall``: the example's loss at the weights that the participant began with, minus that at those
    it would end with. ``cosine``: of the angle between the upload and the example's gradient at the
    first (Li, Li and Ribeiro 2023, ICLR), where an example with a long gradient is no likelier.

    Args:
        model: logits from images; its parameters are overwritten.
        seen: the upload.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64.
    """
    after = {k: v - seen.update[k] for k, v in seen.weights.items()}
    size = torch.stack([v.double().square().sum() for v in seen.update.values()]).sum().sqrt()
    put(model, seen.weights)
    found = []
    for x, y in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
        with torch.no_grad():
            losses = [
                cross_entropy(logits_at(model, w, x), y, reduction="none")
                for w in (seen.weights, after)
            ]
        grads = per_example_gradients(model, cross_entropy, x, y)
        along = torch.stack(
            [(g.double() * seen.update[k].double()).flatten(1).sum(1) for k, g in grads.items()]
        ).sum(0)
        length = squared_norms(grads).double().sqrt() * size
        found.append(torch.stack([losses[0] - losses[1], along / length.clamp(min=1e-30)]))
    return torch.cat(found, 1).double()


def add_up(target: Iterable[Tensor], others: Iterable[Tensor]) -> dict[str, Tensor]:
    """Attack -> (N,) scores over all rounds, higher = more likely a member.

    Args:
        target: (2, N) of each upload of the target, or of each sum with it.
        others: (2, N) of each upload of somebody else, who has none of the candidates, or of each
            sum without the target. What an example makes everybody's uploads look like says
            nothing of whose it is: the mean over them is taken away. None at all where the server
            sees sums and the target is in each.
    """
    own, rest = list(target), list(others)
    total = torch.stack(own).sum(0)
    scores = dict(zip(NAMES, total, strict=True))
    if rest:
        usual = torch.stack(rest).mean(0) * len(own)
        scores |= {name + BESIDE: row for name, row in zip(NAMES, total - usual, strict=True)}
    return scores
