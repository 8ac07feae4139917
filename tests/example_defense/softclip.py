"""A smooth clip with noise: what a defense of one's own takes."""

from dataclasses import dataclass

from defenses import Summed, option


@dataclass(frozen=True)
class SoftClip(Summed):
    """Each gradient g becomes g C / (C + |g|), which is shorter than C; noise like DP-SGD's."""

    clip: float = option(1.0, "no example's gradient gets as long as this, C", low=0, open_low=True)
    noise_multiplier: float = option(2.0, "noise std over C", low=0)

    def contribute(self, grads, plan):
        norm = sum(g.flatten(1).square().sum(1) for g in grads.values()).clamp(min=1e-24).sqrt()
        scale = self.clip / (self.clip + norm)
        return {
            k: (g.flatten(1) * scale[:, None]).sum(0).view(g.shape[1:]) for k, g in grads.items()
        }

    def effective_noise(self):
        return self.noise_multiplier

    def public(self, batch_size):
        std = self.noise_multiplier * self.clip / batch_size
        return {"batch_size": batch_size, "noise_std": std}
