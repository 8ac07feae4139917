"""Structural checks of a method: how far an example moves what it asks for, under which noise.

>>> import victims.transfer
>>> from victims.transfer.conformance import examine
>>> all(finding.holds for finding in examine(victims.transfer.get("dp-fc", steps=2)))
True
"""

from victims.transfer.conformance.checks import CHECKS
from victims.transfer.conformance.examine import examine, honest

__all__ = ["CHECKS", "examine", "honest"]
