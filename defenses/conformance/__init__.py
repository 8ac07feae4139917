"""Structural checks of any defense: what a look at its releases tells without an attack.

>>> import defenses
>>> from defenses import conformance
>>> findings = conformance.examine(defenses.get("gaussian"))
>>> all(finding.holds for finding in findings)
True
>>> print(findings[1])
holds  determinism: equal generators, equal releases at steps (0, 4, 8)

``examine(defense)`` lists a `Finding` for each of `CHECKS`. They are pure functions of the
defense, of shapes and of a seed, and know no test framework. They look for the ways in which
differentially private training has been got wrong, and no list of such ways is complete: a
defense that passes has no proof, one that fails has a mistake.
"""

from collections.abc import Mapping

from torch import Tensor

from defenses.conformance.budget import epsilon
from defenses.conformance.calibration import calibration
from defenses.conformance.exposure import before
from defenses.conformance.finding import Check, Finding
from defenses.conformance.form import determinism, divisor, finite, shapes
from defenses.conformance.independence import independence
from defenses.conformance.openness import public, support
from defenses.conformance.replaying import adaptive, parts, replay
from defenses.conformance.sensitivity import sensitivity
from defenses.conformance.subject import Subject
from defenses.contract import Defense

CHECKS = [
    Check(judge)
    for judge in (
        shapes,
        determinism,
        finite,
        before,
        public,
        divisor,
        replay,
        adaptive,
        parts,
        support,
        sensitivity,
        calibration,
        independence,
        epsilon,
    )
]


def examine(
    defense: Defense, *, like: Mapping[str, Tensor] | None = None, seed: int = 0
) -> list[Finding]:
    """Every check's finding, in the order of `CHECKS`; arguments as for a `Check`."""
    subject = Subject(defense, like, seed)
    return [check.on(subject) for check in CHECKS]


__all__ = ["CHECKS", "Check", "Finding", "examine"]
