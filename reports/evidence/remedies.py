"""What to do next, for who has to decide: a step for every verdict and every doubt."""

from __future__ import annotations

from reports.evidence import control
from reports.panels.setting import ASTRAY, UNKNOWN, UNSCORED

DISTRUST = (
    "Do not rely on the stated guarantee: find the mistake in the code or in its accounting, "
    "and measure again"
)
PROTECT = (
    "Do not release such updates: add noise until an epsilon that you can accept is guaranteed, "
    "and attack again"
)
CLAIM = (
    "Not broken is not safe: rest the decision on a guarantee, which takes noise, or attack with "
    "more images and attacks"
)
AUDIT = "Rest the decision on epsilon, not on the attacks, and audit it: python -m attacks.audit"
STRONGER_AUDIT = "Audit with more canaries or runs, so that a false claim could be refuted"
STRONGER_MEMBERSHIP = "Attack with more shadow models and examples before members are called safe"
LEARN = (
    "Let the target learn its members, by more steps or rounds or with fewer examples, "
    "and attack again"
)
STEPS = {
    control.FAILED: "Give the attack more: --evaluations, or another --attack, until the "
    "undefended update is rebuilt",
    control.MISSING: "Attack the undefended update beside it: --against none",
    control.NAIVE: "Attack with knowledge of the defense: run again without --naive",
    control.CLOCK: "Run again without --budget, so that no clock ends the attack",
    control.MISREPLAYED: "Mend the defense's replay until defenses.conformance finds nothing, and "
    "attack again",
    ASTRAY: "Check that the defense's replay does what its release does: defenses.conformance",
    UNKNOWN: "Attack more images: --images 8 or more",
    UNSCORED: "Attack an update whose private images are known, so that the guess is scored",
}


def remedy(doubt: str) -> str:
    """The step that ends a doubt.

    Args:
        doubt: as `Setting.doubt` or a verdict says it.
    """
    return STEPS.get(doubt, "Measure again, with what is in doubt settled")
