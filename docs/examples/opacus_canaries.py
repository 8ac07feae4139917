"""What an audit adds to `opacus_loop`: canaries, and scores of who was there."""

from __future__ import annotations

from typing import Any

import torch
from opacus_loop import Loop
from torch import Tensor

import defenses
from attacks import audit
from defenses import Release, stream
from victims import Data


class WhiteBox:
    """Gradients in Opacus' batches, seen by an adversary who gets every step's noisy gradient.

    The adversary knows all pictures, and which of them a batch holds: all but the canaries' coins.

    Args:
        loop: not begun.
        count: canaries, each inserted by a fair coin.
        kind: ``dirac`` or ``random``.
        seed: of the canaries.
    """

    def __init__(self, loop: Loop, *, count: int, kind: str, seed: int) -> None:
        optimizer = loop.optimizer
        self.named: dict[str, Any] = dict(loop.model.named_parameters())
        self.known: dict[str, Tensor] = {}
        self.size = optimizer.expected_batch_size
        self.rule = defenses.get(  # what Opacus says it does, for the adversary to replay
            "dpsgd", clip=optimizer.max_grad_norm, noise_multiplier=optimizer.noise_multiplier
        )
        self.canaries = audit.Canaries(
            self.named,
            count=count,
            kind=kind,
            length=10 * optimizer.max_grad_norm,
            sample_rate=1 / len(loop.loader),
            seed=seed,
        )
        self.inserted = self.canaries.inserted
        # Opacus has room for one step hook, and the accountant sits there. Torch's own hook runs
        # after noise and division, and before the weights move.
        optimizer.original_optimizer.register_step_pre_hook(self.watch)

    def join(self, step: int) -> None:
        """Put this step's canaries among the per-example gradients that Opacus is to clip."""
        self.known = {name: p.grad_sample for name, p in self.named.items()}
        for name, extra in self.canaries.gradients(self.canaries.joining(step)).items():
            self.named[name].grad_sample = torch.cat([self.known[name], extra])

    def watch(self, *_: object) -> None:
        """Score all canaries by the gradient that is about to move the weights."""
        seen = {name: p.grad for name, p in self.named.items()}
        release = Release(seen, self.rule.public(self.size))
        self.canaries.observe(release, self.rule, self.rule.replay(self.known, release))

    def scores(self) -> Tensor:
        """(m,) so far."""
        return self.canaries.scores.clone()

    def load(self, scores: Tensor) -> None:
        """Go on from the last `scores`."""
        self.canaries.scores = scores.clone()


class BlackBox:
    """Mislabelled pictures in the data set, seen by an adversary who gets the model alone.

    Args:
        data: private pictures, then those that may become canaries.
        count: how many of the latter, each inserted by a fair coin.
        seed: of coins and wrong labels.

    Attributes:
        private: what to train on.
        model: set it to the one that is trained.
    """

    model: torch.nn.Module

    def __init__(self, data: Data, *, count: int, seed: int) -> None:
        others = data.take(torch.arange(len(data.labels) - count, len(data.labels)))
        shift = torch.randint(1, data.classes, (count,), generator=stream(seed, "labels"))
        self.labels = (others.labels + shift) % data.classes
        self.pictures = others.images
        self.inserted = torch.rand(count, generator=stream(seed, "coins")) < 0.5
        self.private = (
            torch.cat([data.images[:-count], self.pictures[self.inserted]]),
            torch.cat([data.labels[:-count], self.labels[self.inserted]]),
        )

    def join(self, step: int) -> None:
        """Nothing: Opacus' own loader draws these canaries."""

    @torch.no_grad()
    def scores(self) -> Tensor:
        """(m,) by how much the model now prefers each picture's wrong label to the average one."""
        logits: Tensor = self.model(self.pictures).double()
        return logits.gather(1, self.labels[:, None])[:, 0] - logits.mean(1)

    def load(self, scores: Tensor) -> None:
        """Nothing: the model says it all."""
