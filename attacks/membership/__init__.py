"""Membership inference: which examples was a model trained on?"""

from attacks.membership import (  # noqa: F401  (they register)
    calibrated,
    entropy,
    lira,
    loss,
    quantile,
    rmia,
    shokri,
)
from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evaluation import evaluate

register = registry.register
get = registry.get
names = registry.names

__all__ = ["Evidence", "Membership", "evaluate", "get", "names", "register", "registry"]
