"""Membership inference: which examples was a model trained on?"""

from attacks.membership import methods
from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evaluate import evaluate
from attacks.membership.scenario import Scenario

register = registry.register
get = registry.get
names = registry.names

__all__ = [
    "Evidence",
    "Membership",
    "Scenario",
    "evaluate",
    "get",
    "methods",
    "names",
    "register",
    "registry",
]
