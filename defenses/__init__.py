"""Per-example gradients in, a Release out, with the privacy guarantee that is proven for it."""

from defenses import methods
from defenses.bases.before import Before
from defenses.bases.compression import Compression
from defenses.bases.sparsified import Sparsified
from defenses.bases.summed import Summed
from defenses.chains.combine import chained
from defenses.contract import Defense, Gradients, Release, Side, registry, with_effective_noise
from defenses.privacy.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.randomness import stream
from defenses.registry import BadInput, option

register = registry.register
get = registry.get
names = registry.names
registry.combine = chained

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
