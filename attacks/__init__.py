"""Attacks on releases, a sub-package per family; `run` joins a Scenario's rooms into a Record."""

from attacks import invert, membership
from attacks.scenario import Scenario, run

__all__ = ["Scenario", "invert", "membership", "run"]
