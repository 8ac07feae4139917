"""A filter of the sparse vector technique that forgets some coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from defenses import Release, option
from defenses.bases.summed import Linear, average
from defenses.gradients import flat, split
from victims.federated.sparse_vector import SparseVector, laplace

SHARE = 0.1
"""Of the coordinates that are to be sent."""


@dataclass(frozen=True)
class LeavesAcceptedRaw(Linear):
    """What was accepted, but not drawn to be sent, stays in the update, without noise.

    github.com/NVIDIA/NVFlare issue 343, and issue 1214 on the draw: coordinates above a noisy
    threshold are accepted, as many as are to be sent are drawn among them with replacement and
    get noise, and what was *not* accepted is set to zero. A third of the accepted ones is never
    drawn, and leaves as it is. (There values are truncated after the noise too, which is
    left out here.)
    """

    clip: float = option(1.0, "magnitude to which values are truncated", low=0, open_low=True)
    noise_multiplier: float = option(1.0, "4 over epsilon", low=0, open_low=True)
    raw: bool = option(True, "the bug; without it, what was not drawn is not sent")

    def technique(self, total: int) -> SparseVector:
        """The technique at the claimed epsilon, sending a share of ``total`` coordinates."""
        return SparseVector(4 / self.noise_multiplier, int(SHARE * total), self.clip, 0.0)

    def finish(self, total, plan, *, batch_size, generator):
        mean = average(total, batch_size)
        values = flat(mean)
        shield = self.technique(len(values))
        inside = values.double().clamp(-self.clip, self.clip)
        noisy = inside.abs() + laplace(len(values), shield.query_scale, generator)
        accepted = noisy.topk(2 * shield.count).indices  # as if the threshold let twice as many in
        picks = torch.randint(len(accepted), (2 * shield.count,), generator=generator)
        drawn = accepted[picks.unique()]
        sent = values.double() * 0
        if self.raw:
            sent[accepted] = values[accepted].double()
        sent[drawn] = inside[drawn] + laplace(len(drawn), shield.value_scale, generator)
        update = split(sent.to(values.dtype), mean)
        return Release(update, self.public(batch_size), 8 * int(sent.count_nonzero()))

    def replay(self, grads, release):
        mean = super().replay(grads, release)
        return {
            k: v.clamp(-self.clip, self.clip) * (release.update[k] != 0) for k, v in mean.items()
        }

    def epsilon(self, *, steps, sample_rate, delta):
        return steps * 4 / self.noise_multiplier

    def public(self, batch_size):
        return {"batch_size": batch_size, "noise_std": 2**0.5 * self.technique(1568).value_scale}
