"""Watches releases as a white-box, passive adversary: whose gradient points along them?

In federated learning the server sees every update and knows the weights it was made at. Of each
candidate it computes what that one alone would have released, replaying the defense, and adds
up over the watched steps how well the releases agree with that (cosine and dot product; Li et
al. 2022, "Effective passive membership inference attacks in federated learning", Nasr et al.
2019 for the setting).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from defenses import Defense, Release
from defenses.gradients import flat
from victims.data import Data
from victims.gradients import gradient_chunks
from victims.models.frozen import Featurised
from victims.training.trainer import Trainer

TINY = 1e-12


class Watcher:
    """Trains the target's watched steps and scores every candidate at each of them.

    Args:
        trainer: the target's trainer.
        pool: the N candidates.
        steps: how many steps are watched, evenly over the run; 0 watches none.
    """

    def __init__(self, trainer: Trainer, pool: Data, steps: int) -> None:
        last = trainer.plan.steps
        count = min(steps, last)
        self.trainer, self.pool = trainer, pool
        self.steps = {round(i * (last - 1) / max(1, count - 1)) for i in range(count)}
        self.cosine = torch.zeros(len(pool.labels), dtype=torch.float64)
        self.dot = torch.zeros(len(pool.labels), dtype=torch.float64)

    def wants(self, step: int) -> bool:
        """Whether this step is watched."""
        return step in self.steps

    def advance(self) -> None:
        """One step of training, seen by the adversary, who knows the weights before it."""
        trainer = self.trainer
        before = trainer.network.weights()
        defense = trainer.informed()
        release = trainer.advance()
        after = trainer.network.weights()
        trainer.network.put(before)
        cosine, dot = agreement(trainer, self.pool, defense, release)
        trainer.network.put(after)
        self.cosine += cosine
        self.dot += dot

    def scores(self) -> dict[str, Tensor]:
        """``gradient-cosine`` and ``gradient-dot``, (N,) float64, higher = more likely a member."""
        if not self.steps:
            return {}
        return {"gradient-cosine": self.cosine, "gradient-dot": self.dot}


def agreement(
    trainer: Trainer, pool: Data, defense: Defense, release: Release
) -> tuple[Tensor, Tensor]:
    """(N,) cosine and dot product of the release with each candidate's own replayed release."""
    observed = flat(release.update).double()
    cosine, dot = [], []
    images = pool.images.to(trainer.device)
    if isinstance(trainer.model, Featurised):
        images = trainer.model.features(images)
    trainer.net.eval()
    chunks = gradient_chunks(trainer.net, cross_entropy, images, pool.labels.to(trainer.device))
    for grads in chunks:
        for index in range(len(next(iter(grads.values())))):
            alone = {k: g[index : index + 1] for k, g in grads.items()}
            replayed = defense.replay(alone, release)
            expected = flat({k: replayed[k] for k in release.update}).double()
            along = float(expected @ observed)
            dot.append(along)
            cosine.append(along / max(float(expected.norm() * observed.norm()), TINY))
    trainer.net.train()
    return torch.tensor(cosine, dtype=torch.float64), torch.tensor(dot, dtype=torch.float64)
