"""Judges a lower bound on epsilon against the epsilon that is claimed."""

from __future__ import annotations

import math

from reports.evidence.control import CANNOT_JUDGE

REFUTED, CONSISTENT, UNCLAIMED = "claim refuted", "consistent", "nothing claimed"
IF_GAUSSIAN = "claim refuted, if the mechanism is Gaussian"
GAUSSIAN = "a Gaussian mechanism"


def verdict(claimed: float, audited: float, unclaimed: str = "", doubted: str = "") -> str:
    """One of `REFUTED`, `IF_GAUSSIAN`, `CONSISTENT`, `UNCLAIMED` and `CANNOT_JUDGE`.

    Args:
        claimed: the claimed epsilon; infinite where none is claimed.
        audited: the lower bound on the true epsilon.
        unclaimed: what the bound assumes and the defense does not claim to be; may be empty.
        doubted: why it is no evidence that the claim was not refuted, see `doubt`; may be empty.
    """
    if math.isinf(claimed):
        return UNCLAIMED
    if audited <= claimed:
        return CANNOT_JUDGE if doubted else CONSISTENT
    return IF_GAUSSIAN if unclaimed else REFUTED


def doubt(claimed: float, reach: float, control: float | None = None) -> str:
    """Why it is no evidence that a claim was not refuted; empty where it is some.

    Args:
        claimed: the claimed epsilon; nothing is in doubt where it is infinite.
        reach: the bound that perfect scores prove, see `attacks.audit.control.reaches`.
        control: the bound that the undefended training's scores prove, see
            `attacks.audit.control.controls`; None where no such training was run.
    """
    if math.isinf(claimed):
        return ""
    if reach <= claimed:
        return f"even perfect scores would prove no more than epsilon {reach:.4g}"
    if control is not None and control <= claimed:
        return f"without the defense the same audit proves no more than epsilon {control:.4g}"
    return ""
