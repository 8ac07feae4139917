"""Several rounds of one client on the same images, as one release of one model.

The model holds each round's weights; what images cause in one round has no part in another's, so
that the joined gradient of the summed losses is all rounds' gradients side by side, and the
difference after local steps all differences. Every attack by optimisation takes it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss
from attacks.invert.victim import Victim
from defenses import BadInput, Defense, Gradients, Release, preprocessing

JOINED = ("bayes", "dlg", "geiping", "sme")
"""Attacks that match whatever a release is of; the others look for layers by their places."""


class Rounds(nn.Module):
    """The model at the weights of each round; logits side by side, (B, rounds * classes)."""

    def __init__(self, rounds: Sequence[nn.Module]) -> None:
        super().__init__()
        self.rounds = nn.ModuleList(rounds)

    def forward(self, images: Tensor) -> Tensor:
        """The logits of every round for images (B, C, H, W)."""
        return torch.cat([model(images) for model in self.rounds], 1)


@dataclass(frozen=True)
class EachRound(Defense):
    """A defense that handles each round by itself.

    Attributes:
        inner: of each round.
        seen: the release of each, as it was captured.
    """

    inner: Defense
    seen: tuple[Release, ...]

    def __post_init__(self) -> None:
        """Not checked as options are: these come from no user."""

    def release(self, grads: Gradients, **place: Any) -> Release:
        """Not for releases: these have been seen."""
        raise NotImplementedError

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """See `Defense.replay`; each round's by the release that was seen of it."""
        found: dict[str, Tensor] = {}
        for index, one in enumerate(self.seen):
            start = _start(index)
            own = {k.removeprefix(start): g for k, g in grads.items() if k.startswith(start)}
            cast = {k: release.update[start + k] for k in own}
            told = self.inner.replay(own, Release(cast, one.public, one.wire_bytes))
            found |= {start + k: v for k, v in told.items()}
        return found


def join(victims: Sequence[Victim], releases: Sequence[Release]) -> tuple[Victim, Release]:
    """One victim and one release for those of each round.

    Args:
        victims: of the same client, two or more, at the weights of each round.
        releases: of each, in the same order.

    Raises:
        BadInput: the defense guarantees something, of one release alone, or acts before the
            gradient.
    """
    first = victims[0]
    if first.defense.effective_noise() > 0 or preprocessing.stages(first.defense):
        raise BadInput(
            f"several rounds are not attacked together under {first.defense.name!r}: its noise or "
            "what it does before the gradient is of one round; give one --observation at a time"
        )
    update = {
        _start(index) + k: v
        for index, release in enumerate(releases)
        for k, v in release.update.items()
    }
    joined = Release(update, releases[0].public, sum(r.wire_bytes for r in releases))
    model = Rounds([victim.model for victim in victims])
    defense = EachRound(first.defense, tuple(releases))
    return Victim(model, _sum_losses(first.loss, len(victims)), defense, local=first.local), joined


def _start(index: int) -> str:
    """What the names of a round's parameters start with in `Rounds`."""
    return f"rounds.{index}."


def _sum_losses(loss: Loss, rounds: int) -> Loss:
    """The loss of every round's logits, added up."""

    def total(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([loss(part, labels) for part in logits.chunk(rounds, 1)]).sum()

    return total
