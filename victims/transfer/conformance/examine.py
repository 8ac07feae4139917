"""Runs every check on one method."""

from __future__ import annotations

from defenses.conformance.finding import Finding, finding_of
from victims.training.streams import Repeatable
from victims.transfer.conformance.checks import CHECKS, NOISE, Make
from victims.transfer.contract import Method
from victims.transfer.mechanism import Gaussian


def honest(draw: Repeatable) -> Gaussian:
    """The mechanism of this project."""
    return Gaussian(NOISE, draw)


def examine(method: Method, make: Make = honest) -> list[Finding]:
    """Every check's finding.

    Args:
        method: any; one that samples must have a batch size of at most `EXAMPLES`.
        make: makes the mechanism that is looked at, with noise multiplier `NOISE`.
    """
    return [finding_of(check.__name__, lambda c=check: c(method, make)) for check in CHECKS]  # type: ignore[misc]
