"""Audits: a lower bound on epsilon from canaries' scores, whoever's training made them."""

from attacks.audit import gdp, one_run, one_run_fdp, threshold  # noqa: F401  (they register)
from attacks.audit.canaries import Canaries
from attacks.audit.contract import Auditor, lower_bound, registry

register = registry.register
get = registry.get
names = registry.names

__all__ = ["Auditor", "Canaries", "get", "lower_bound", "names", "register", "registry"]
