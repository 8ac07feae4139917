"""Steps that are not the steps that are accounted, and divisors that tell the data's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

from defenses import Defense, Release, Summed, option, stream
from defenses.contract import dense
from defenses.gradients import add_noise, clipped_sum
from defenses.methods.dpsgd import DPSGD
from victims.training.trainer import Trainer

MICRO = 4


class RawAccumulation(Trainer):
    """Clipped sums stay in the buffer for four steps, and each noise draw covers one of them.

    github.com/meta-pytorch/opacus pull request 203, review: "if you take two steps without
    zero_grad, in the second one you would have twice as much data points but only add noise that
    covers one batch worth of data". An example drawn once is released four times.
    """

    def release(self, images, labels, generator, size=None, extra=None, memory=None):
        defense = cast("Summed", self.informed(memory))
        place = {"step": self.step, "steps": self.plan.steps, "generator": generator}
        plan = defense.plan(self.parameters, **place)
        found = self.network.total(defense, plan, images, labels, extra)
        held = getattr(self, "held", {}) if self.step % MICRO else {}
        self.held = {k: v + held.get(k, 0) for k, v in found.items()}
        size = size or self.plan.training.batch_size
        return defense.finish(dict(self.held), plan, batch_size=size, generator=generator)


class MicroSteps(Trainer):
    """Four micro-batches make an update with one noise draw; the accountant counts micro-steps.

    github.com/google-deepmind/jax_privacy issues 234 and 288: train steps were micro-batches in
    one place and optimiser updates in another. There the mix-up wasted noise; here it is the other
    way round: micro-steps with a micro-batch's sample rate, hence four times too few noise draws.
    """

    def advance(self) -> Release:
        seed, step = self.plan.training.seed, self.step
        images, labels, extra = self.batch()
        defense = cast("Summed", self.informed())
        draw = stream(seed, "noise", step)
        plan = defense.plan(self.parameters, step=step, steps=self.plan.steps, generator=draw)
        found = self.network.total(defense, plan, images, labels, extra)
        held = getattr(self, "held", {}) if step % MICRO else {}
        self.held = {k: v + held.get(k, 0) for k, v in found.items()}
        size = self.plan.training.batch_size
        if (step + 1) % MICRO:
            nothing = {k: torch.zeros_like(v) for k, v in found.items()}
            release = dense(nothing, defense.public(size))
        else:
            release = defense.finish(self.held, plan, batch_size=size, generator=draw)
        self.follow(release)
        return release


class SizeLeaks(Trainer):
    """The divisor is the expected batch size, rounded, of as many examples as there are.

    github.com/meta-pytorch/opacus issue 571 ("Opacus is leaking the cardinality of the underlying
    dataset"), later issue 819. Noise and sum are divided alike, so that where one example
    more changes the rounded product, the noise tells.
    """

    def release(self, images, labels, generator, size=None, **known):
        size = max(1, int(self.plan.examples * self.plan.sample_rate))
        return super().release(images, labels, generator, size=size, **known)


@dataclass(frozen=True)
class RealisedBatch(Defense):
    """The noisy sum is divided by the number of examples that happened to be drawn.

    "Rethinking the Security of DP-SGD" (2026, arXiv 2605.15648) names this the batch-averaged
    mechanism and finds it in libraries; its noise tells how many examples there were.
    """

    clip: float = option(1.0, "clipping norm", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "noise over it", low=0)

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        public = self.public(batch_size)
        drawn = max(1, len(next(iter(grads.values()))))
        std = self.noise_multiplier * self.clip
        noisy = add_noise(clipped_sum(grads, self.clip), std, generator)
        return dense({k: v / drawn for k, v in noisy.items()}, public)

    def replay(self, grads, release):
        drawn = max(1, len(next(iter(grads.values()))))
        return {k: v / drawn for k, v in clipped_sum(grads, self.clip).items()}

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)
