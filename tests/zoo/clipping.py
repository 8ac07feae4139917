"""Clipping that does not bound what one example does."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch

from defenses import Defense, Release, option
from defenses.contract import dense
from defenses.gradients import add_noise, clip_factors, clipped_sum
from defenses.methods.dpsgd import DPSGD


@dataclass(frozen=True)
class AfterAggregation(Defense):
    """The batch's mean gradient is clipped, not each example's.

    github.com/ooples/AiDotNet pull request 1318 ("this is not DP-SGD; the clipping happens after
    batch aggregation"); APPFL/APPFL issue 349; one example may turn the clipped mean around,
    which moves it by 2 C, where noise is for C / B.
    """

    clip: float = option(1.0, "clipping norm", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "noise over it", low=0)

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        public = self.public(batch_size)
        return dense(
            add_noise(self._mean(grads, batch_size), public["noise_std"], generator), public
        )

    def replay(self, grads, release):
        return self._mean(grads, release.public["batch_size"])

    def _mean(self, grads, size):
        return clipped_sum({k: g.sum(0, keepdim=True) / size for k, g in grads.items()}, self.clip)

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)


@dataclass(frozen=True)
class ClipIgnored(DPSGD):
    """The clipping norm that the user asks for is used for the noise only.

    github.com/meta-pytorch/opacus pull request 664: fast gradient clipping under the privacy
    engine did not use ``max_grad_norm``. Here clipping stays at 1.
    """

    def contribute(self, grads, plan):
        return clipped_sum(grads, 1.0)


@dataclass(frozen=True)
class ByLayer(DPSGD):
    """Each parameter is clipped to C by itself, and noise is for C altogether.

    github.com/fedbiomed/fedbiomed issue 1443, point 4 ("clip is not applied as a global norm of
    gradient but per-parameter"); with L parameters an example moves the sum by sqrt(L) C. (Opacus
    issue 202 asks why noise there grows by that root: because it must.)
    """

    def contribute(self, grads, plan):
        return {k: clipped_sum({k: g}, self.clip)[k] for k, g in grads.items()}


@dataclass(frozen=True)
class NaNSurvives(Defense):
    """A gradient of NaN has a norm of NaN, no factor to be clipped by, and comes out as NaN.

    Cebere et al. 2026, "Privacy in Theory, Bugs in Practice" (arXiv 2602.17454), find violations
    of this kind in libraries; github.com/google/differential-privacy pull request 405 ("NaN
    passes through clamping untouched"). A single release then tells who was in the batch.
    """

    clip: float = option(1.0, "clipping norm", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "noise over it", low=0)

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        public = self.public(batch_size)
        return dense(
            add_noise(self._mean(grads, batch_size), public["noise_std"], generator), public
        )

    def replay(self, grads, release):
        return self._mean(grads, release.public["batch_size"])

    def _mean(self, grads, size):
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)
        factors = (self.clip / norms).clamp(max=1)
        return {k: torch.tensordot(factors, g, 1) / size for k, g in grads.items()}

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)


# `Defense` would leave the example out. Here nobody looks at what a release is given.
NaNSurvives.release = inspect.unwrap(NaNSurvives.release)


@dataclass(frozen=True)
class Microbatches(Defense):
    """Means of two examples each are clipped to C and summed, with noise for C.

    github.com/tensorflow/privacy issue 620 and the documentation of
    ``compute_dp_sgd_privacy_statement``: "microbatching inflates sensitivity by a factor of two in
    add-or-remove-one adjacency" (Ponomareva et al. 2023, arXiv 2303.00654, Section 5.6). An
    example that joins turns the clipped mean of its microbatch around.
    """

    clip: float = option(1.0, "clipping norm", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "noise over it", low=0)

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        public = self.public(batch_size)
        return dense(
            add_noise(self._sum(grads, batch_size), public["noise_std"], generator), public
        )

    def replay(self, grads, release: Release):
        return self._sum(grads, release.public["batch_size"])

    def _sum(self, grads, size):
        pairs = {
            k: torch.stack([p.mean(0) for p in g.split(2)]) if len(g) else g
            for k, g in grads.items()
        }
        factors = clip_factors(pairs, self.clip)
        return {k: torch.tensordot(factors.to(p), p, 1) / size for k, p in pairs.items()}

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        return DPSGD(self.clip, self.noise_multiplier).public(batch_size)
