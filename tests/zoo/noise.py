"""Noise of the wrong size, in the wrong place, or at the wrong time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from defenses import Defense, option
from defenses.bases.summed import average
from defenses.contract import dense
from defenses.gradients import add_noise, clipped_sum
from defenses.methods.dpsgd import DPSGD


@dataclass(frozen=True)
class OffByBatchSize(DPSGD):
    """The sensitivity of the mean is divided by the batch size once more.

    Tramer et al. 2022, "Debugging Differential Privacy" (arXiv 2202.12219): an implementation of
    backpropagation clipping took the sensitivity to be smaller by a factor of the batch size.
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        std = public["noise_std"] / batch_size
        return dense(add_noise(average(total, batch_size), std, generator), public)


@dataclass(frozen=True)
class SquaredClip(DPSGD):
    """The noise has std sigma C^2 instead of sigma C, which is less where C is below 1.

    github.com/greenelab/SPRINT_gan issue 5 ("noise scaled by extra clip_norm": the std was
    ``noise * clipnorm ** 2``, a variance where a standard deviation belongs).
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        std = public["noise_std"] * self.clip
        return dense(add_noise(average(total, batch_size), std, generator), public)


@dataclass(frozen=True)
class BeforeClipping(Defense):
    """Each example's gradient gets noise and is clipped afterwards.

    github.com/illidanlab/dpgan issue 4 ("you first add noise to the gradients and then clip ...
    we MUST clip the gradients first"). A large gradient drowns the noise, clipped with it.
    """

    clip: float = option(1.0, "clipping norm", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "noise over it", low=0)

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        noisy = add_noise(grads, self.noise_multiplier * self.clip, generator)
        update = {k: v / batch_size for k, v in clipped_sum(noisy, self.clip).items()}
        return dense(update, self.public(batch_size))

    def replay(self, grads, release):
        size = release.public["batch_size"]
        return {k: v / size for k, v in clipped_sum(grads, self.clip).items()}

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)


@dataclass(frozen=True)
class SkippedBranch(DPSGD):
    """Matrices get noise; vectors take the other branch, which has none.

    github.com/NVIDIA/NVFlare issue 343: of the coordinates to be released, those that were
    neither accepted nor candidates "get passed as full clipped but non-noised values".
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        update = average(total, batch_size)
        matrices = {k: v for k, v in update.items() if v.ndim > 1}
        return dense(update | add_noise(matrices, public["noise_std"], generator), public)


@dataclass(frozen=True)
class OnSupport(DPSGD):
    """Only coordinates that some gradient touched get noise, so that the release stays sparse.

    Ghazi et al. 2023, "Sparsity-Preserving Differentially Private Training of Large Embedding
    Models" (arXiv 2311.08357), which chooses the rows to be noised privately because the rows of
    a batch are private. Here the support tells which features the batch had.
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        update = average(total, batch_size)
        noisy = add_noise(update, public["noise_std"], generator)
        kept = {k: torch.where(v != 0, noisy[k], 0.0) for k, v in update.items()}
        return dense(kept, public)
