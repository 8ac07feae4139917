"""Gradient inversion: private images back from a release."""

from attacks.invert import methods
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.labels import recover_labels
from attacks.invert.scenario import Scenario

register = registry.register
get = registry.get
names = registry.names

__all__ = [
    "Guess",
    "Inversion",
    "Loss",
    "Scenario",
    "Threat",
    "get",
    "methods",
    "names",
    "recover_labels",
    "register",
    "registry",
]
