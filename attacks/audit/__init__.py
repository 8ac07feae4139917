"""Audits: a lower bound on epsilon from canaries' scores, whoever's training made them.

>>> import torch
>>> from attacks import audit
>>> inserted = torch.arange(200) % 2 == 0  # which of 200 canaries were trained on
>>> told = audit.lower_bound(inserted.double() + torch.rand(200), inserted, delta=1e-5)
>>> told > 3  # an epsilon of 3 is refuted: scores above 1 are always right
True
>>> guessed = audit.lower_bound(torch.arange(200.0), inserted, delta=1e-5)
>>> guessed  # which says nothing against any claim
0.0
"""

from attacks.audit import methods
from attacks.audit.contract import Auditor, lower_bound, registry
from attacks.audit.game.canaries import Canaries
from attacks.audit.game.seen import look_steps
from attacks.audit.scenario import Scenario
from attacks.audit.verdicts import REFUTED, doubt, verdict

register = registry.register
"""Class decorator that makes a frozen dataclass known as an auditor under a name."""
get = registry.get
"""An auditor by name, its fields set by keyword; raises BadInput."""
names = registry.names
"""All known names, sorted, those of other packages' entry points included."""

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
