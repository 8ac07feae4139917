"""Structural checks of a whole training loop, given a function that builds its trainer.

``examine(build, inputs, labels)`` lists a `Finding` for each of `CHECKS`. `defenses.conformance`
looks at one release; these look at what surrounds it: who is in a batch, what an example does in
company, and whether the steps that are accounted are those that are taken.
"""

from torch import Tensor

from defenses.conformance.finding import Finding, found
from victims.conformance.ledger import obedience, releases, sizes
from victims.conformance.loop import Build, Loop, LoopCheck
from victims.conformance.neighbours import memory, neighbours
from victims.conformance.sampling import sampling

CHECKS = [LoopCheck(judge) for judge in (sizes, sampling, neighbours, memory, releases, obedience)]


def examine(build: Build, inputs: Tensor, labels: Tensor, *, seed: int = 0) -> list[Finding]:
    """Every check's finding, in the order of `CHECKS`; arguments as for a `Loop`."""
    loop = Loop(build, inputs, labels, seed)
    return [found(check.name, lambda c=check: c.judge(loop)) for check in CHECKS]  # type: ignore[misc]


__all__ = ["CHECKS", "Build", "Finding", "Loop", "LoopCheck", "examine"]
