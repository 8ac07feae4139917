"""Private heads on frozen public features (Mehta et al. 2022, 2023)."""

from victims.transfer import methods  # noqa: F401  (they register)
from victims.transfer.contract import Method, Problem, bound_rows, registry
from victims.transfer.mechanism import Gaussian, Mechanism, Released

get, names = registry.get, registry.names

__all__ = ["Gaussian", "Mechanism", "Method", "Problem", "Released", "bound_rows", "get", "names"]
