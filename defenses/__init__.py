"""Per-example gradients in, a Release out, with the privacy guarantee that is proven for it."""

from defenses import (  # noqa: F401  (they register)
    adaptive,
    ats,
    chaining,
    dprs,
    dpsgd,
    dptopk,
    gaussian,
    gep,
    none,
    perlayer,
    precode,
    prune,
    quantize,
    randk,
    rgp,
    sign,
    soteria,
    topk,
)
from defenses.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.before import Before
from defenses.compression import Compression
from defenses.contract import Defense, Gradients, Release, Side, registry, with_effective_noise
from defenses.randomness import stream
from defenses.registry import BadInput, option
from defenses.sparsity import Sparsified
from defenses.summed import Summed

register = registry.register
get = registry.get
names = registry.names

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
    "names",
    "noise_for_epsilon",
    "option",
    "register",
    "registry",
    "stream",
    "with_effective_noise",
]
