"""Audits: a lower bound on epsilon from canaries' scores, whoever's training made them."""

from attacks.audit import methods
from attacks.audit.contract import Auditor, lower_bound, registry
from attacks.audit.game.canaries import Canaries
from attacks.audit.game.seen import look_steps
from attacks.audit.scenario import Scenario
from attacks.audit.verdicts import REFUTED, doubt, verdict

register = registry.register
get = registry.get
names = registry.names

__all__ = [
    "REFUTED",
    "Auditor",
    "Canaries",
    "Scenario",
    "doubt",
    "get",
    "look_steps",
    "lower_bound",
    "methods",
    "names",
    "register",
    "registry",
    "verdict",
]
