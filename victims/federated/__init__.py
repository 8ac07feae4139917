"""Federated victims on Flower: distributed selective SGD, federated averaging, federated SGD."""

from victims.federated.plan import Plan, make_plan
from victims.federated.scenario import Federation
from victims.federated.sparse_vector import SparseVector

__all__ = ["Federation", "Plan", "SparseVector", "make_plan"]
