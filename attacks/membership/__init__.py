"""Membership inference: which examples was a model trained on?

>>> import torch
>>> from attacks import membership
>>> members = torch.arange(100) < 50
>>> labels = torch.arange(100) % 10
>>> logits = torch.nn.functional.one_hot(labels, 10) * (1.0 + members[:, None])  # surer of members
>>> evidence = membership.Evidence(target_logits=logits, labels=labels)
>>> scores = membership.get("loss").scores(evidence)
>>> membership.evaluate(scores, members)["auc"]["mean"]
1.0
"""

from attacks.membership import methods
from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evaluate import evaluate
from attacks.membership.scenario import Scenario

register = registry.register
"""Class decorator that makes a frozen dataclass known as an attack under a name."""
get = registry.get
"""An attack by name, its fields set by keyword; raises BadInput."""
names = registry.names
"""All known names, sorted, those of other packages' entry points included."""

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
