"""Gradient inversion: private images back from a release."""

from attacks.invert import analytic, auto, bayes, dlg, geiping, prior  # noqa: F401  (they register)
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.labels import recover_labels

register = registry.register
get = registry.get
names = registry.names

__all__ = [
    "Guess",
    "Inversion",
    "Loss",
    "Threat",
    "get",
    "names",
    "recover_labels",
    "register",
    "registry",
]
