"""Batches that are not drawn as the accountant believes."""

from __future__ import annotations

import torch
from torch import Tensor

from defenses import stream
from victims.training.trainer import Trainer


class Shuffled(Trainer):
    """Batches of one size from a new order every epoch, accounted as Poisson samples.

    Chua et al. 2024, "How Private are DP-SGD Implementations?" (arXiv 2403.17673);
    github.com/meta-pytorch/opacus pull request 128, which fixed it there.
    """

    def sample(self) -> Tensor:
        size, seed = self.plan.training.batch_size, self.plan.training.seed
        epoch, place = divmod(self.step, max(1, self.plan.examples // size))
        order = torch.randperm(self.plan.examples, generator=stream(seed, "order", epoch))
        return order[place * size : (place + 1) * size]


class Fixed(Trainer):
    """The same batches in the same order every epoch, accounted as Poisson samples.

    github.com/ftramer/Handcrafted-DP issue 2 ("in practice we 'cheat' by going through the entire
    training set with batches of size exactly B"); without amplification at all where the order
    is known (Chua et al. 2024, arXiv 2403.17673, on deterministic batches).
    """

    def sample(self) -> Tensor:
        size = self.plan.training.batch_size
        place = self.step % max(1, self.plan.examples // size)
        return torch.arange(self.plan.examples)[place * size : (place + 1) * size]


class Weighted(Trainer):
    """A sampler that prefers some examples, behind an accountant that knows one rate.

    github.com/meta-pytorch/opacus issues 813 and 600: a ``WeightedRandomSampler`` and the
    accountant's sample rate have nothing to do with each other. There the sampler is replaced
    silently and the rate is wrong; here it is kept, and half of the examples join nearly twice as
    often as accounted.
    """

    def sample(self) -> Tensor:
        rate, count = self.plan.sample_rate, self.plan.examples
        rates = torch.full((count,), 0.1 * rate)
        rates[count // 2 :] = min(1.0, 1.9 * rate)
        draw = torch.rand(count, generator=stream(self.plan.training.seed, "batch", self.step))
        return (draw < rates).nonzero()[:, 0]
