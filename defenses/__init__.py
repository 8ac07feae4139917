"""Per-example gradients in, a Release out, with the privacy guarantee that is proven for it."""

from defenses import dprs, dpsgd, gaussian, none, topk  # noqa: F401  (they register themselves)
from defenses.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.contract import Defense, Gradients, Release, Side, registry
from defenses.randomness import stream
from defenses.registry import BadInput, option
from defenses.sparsity import Sparsified
from defenses.summed import Summed

register = registry.register
get = registry.get
names = registry.names

__all__ = [
    "BadInput",
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
]
