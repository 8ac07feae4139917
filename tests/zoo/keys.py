"""One random key, used more than once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from defenses import stream
from defenses.bases.summed import average
from defenses.contract import dense
from defenses.methods.dpsgd import DPSGD


@dataclass(frozen=True)
class SameKeyForLayers(DPSGD):
    """Every parameter's noise is drawn with the same key: layers of one shape share it.

    github.com/jax-ml/jax pull request 3646: JAX's own DP-SGD example "was accidentally reusing
    the same PRNG key when adding noise to different components of the gradient".
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        key = int(torch.randint(2**62, (1,), generator=generator))
        update = {
            k: v + public["noise_std"] * torch.randn(v.shape, generator=stream(key, "noise"))
            for k, v in average(total, batch_size).items()
        }
        return dense(update, public)


@dataclass(frozen=True)
class SameKeyForClasses(DPSGD):
    """All rows of a weight matrix, hence all classes of the last layer, get the same noise.

    github.com/google-research/google-research, dp_transfer/train_fc.py (Mehta et al. 2022, arXiv
    2205.02973): ``jax.vmap(apply_noise_fn)`` over the classes' gradients closes over one key, as
    we read it. The difference of two rows is then free of noise.
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        update = {
            k: v + public["noise_std"] * torch.randn(v.shape[-1:], generator=generator)
            for k, v in average(total, batch_size).items()
        }
        return dense(update, public)


@dataclass(frozen=True)
class SameKeyForSteps(DPSGD):
    """Each step draws its noise with the key of the first.

    The same dp_transfer/train_fc.py (arXiv 2205.02973): ``refresh_key`` changes the key between
    steps, but the compiled update has the first one in it, as we read it. Releases of two steps
    differ by signal alone.
    """

    def finish(self, total, plan, *, batch_size, generator):
        public = self.public(batch_size)
        again = stream(0, "noise")
        update = {
            k: v + public["noise_std"] * torch.randn(v.shape, generator=again)
            for k, v in average(total, batch_size).items()
        }
        return dense(update, public)
