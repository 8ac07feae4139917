"""Audits: a lower bound on epsilon from canaries' scores, whoever's training made them."""

from attacks.audit import methods
from attacks.audit.contract import Auditor, lower_bound, registry
from attacks.audit.game.canaries import Canaries

register = registry.register
get = registry.get
names = registry.names

__all__ = ["Auditor", "Canaries", "get", "lower_bound", "methods", "names", "register", "registry"]
