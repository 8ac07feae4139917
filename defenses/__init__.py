"""Per-example gradients in, a Release out, with the privacy guarantee that is proven for it.

>>> import torch
>>> import defenses
>>> defense = defenses.get("dpsgd", clip=1.0, noise_multiplier=1.0)
>>> grads = {"weight": torch.ones(8, 10, 4), "bias": torch.ones(8, 10)}  # of 8 examples
>>> release = defense.release(grads, generator=defenses.stream(0, "noise"))
>>> {name: tuple(value.shape) for name, value in release.update.items()}
{'weight': (10, 4), 'bias': (10,)}
>>> release.public
{'batch_size': 8, 'clip': 1.0, 'noise_std': 0.125}
>>> round(defense.epsilon(steps=100, sample_rate=0.01, delta=1e-5), 1)
1.2
"""

from defenses import methods
from defenses.bases.before import Before
from defenses.bases.compression import Compression
from defenses.bases.sparsified import Sparsified
from defenses.bases.summed import Summed
from defenses.chains.combine import combine
from defenses.contract import Defense, Gradients, Release, Side, registry, with_effective_noise
from defenses.errors import BadInput
from defenses.gradients import clipped_sum
from defenses.options import option
from defenses.privacy.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.randomness import stream

register = registry.register
"""Class decorator that makes a frozen dataclass known as a defense under a name."""
get = registry.get
"""A defense by name, its fields set by keyword; raises BadInput."""
names = registry.names
"""All known names, sorted, those of other packages' entry points included."""
registry.combine = combine

__all__ = [
    "BadInput",
    "Before",
    "Compression",
    "Defense",
    "Gradients",
    "Release",
    "Side",
    "Sparsified",
    "Summed",
    "clipped_sum",
    "gaussian_epsilon",
    "get",
    "methods",
    "names",
    "noise_for_epsilon",
    "option",
    "register",
    "registry",
    "stream",
    "with_effective_noise",
]
