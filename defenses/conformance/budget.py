"""Whether the claimed epsilon follows from the claimed noise."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

from defenses.conformance.finding import Verdict
from defenses.conformance.subject import DELTA, Subject
from defenses.contract import Defense
from defenses.privacy.accounting import gaussian_epsilon
from defenses.privacy.tradeoff import epsilon_of

SLACK = 0.05
"""What the accountant's own error may make of a correct epsilon."""
SAMPLED = {"steps": 50, "sample_rate": 0.1}


def epsilon(subject: Subject) -> Verdict:
    """Epsilon grows with steps and sample rate, falls with noise, and is no less than it must be.

    Full batches have an exact answer, that of Gaussian differential privacy (Dong et al. 2022);
    sampled ones are compared with the PRV accountant. Whether the noise itself is as
    claimed is for the check of the sensitivity.
    """
    defense = subject.defense

    def spent(steps: int, rate: float, of: Defense = defense) -> float:
        return of.epsilon(steps=steps, sample_rate=rate, delta=DELTA)

    if not subject.claims:
        return True, "claims no epsilon"
    for name, series in {
        "steps": [spent(t, 1.0) for t in (1, 10, 100)],
        "the sample rate": [spent(50, q) for q in (0.01, 0.1, 1.0)],
    }.items():
        if any(b < a * (1 - 1e-6) for a, b in pairwise(series)):
            return False, f"falls with {name}: {', '.join(f'{e:.4g}' for e in series)}"
    if hasattr(defense, "noise_multiplier"):
        options: list[dict[str, Any]] = [
            {"noise_multiplier": f * defense.noise_multiplier} for f in (0, 1.5)
        ]
        without, more = (dataclasses.replace(defense, **o) for o in options)
        if math.isfinite(spent(1, 1.0, without)):
            return False, f"is {spent(1, 1.0, without):.4g} without noise"
        if not spent(10, 1.0, more) < spent(10, 1.0):
            return False, f"does not fall with noise: {spent(10, 1.0, more):.4g} with 1.5 of it"
    claimed = defense.effective_noise()
    if claimed == 0:
        return True, "grows with steps and sample rate; rests on no Gaussian mechanism: not judged"
    closest = math.inf
    for steps in (1, 10, 100):
        least = epsilon_of(math.sqrt(steps) / claimed, DELTA)
        closest = min(closest, spent(steps, 1.0) - least)
        if spent(steps, 1.0) < least - 1e-6 * (1 + least):
            told = f"{spent(steps, 1.0):.4g} after {steps} full batches"
            return False, f"{told}; a multiplier of {claimed:.3g} allows no less than {least:.4g}"
    least = gaussian_epsilon(claimed, delta=DELTA, accountant="prv", **SAMPLED)  # type: ignore[arg-type]
    sampled = defense.epsilon(delta=DELTA, **SAMPLED)  # type: ignore[arg-type]
    if sampled < least * (1 - SLACK) - SLACK:
        return False, f"{sampled:.4g} at {SAMPLED}; the accountant's is {least:.4g}"
    return (
        True,
        f"monotone; {closest:.3g} above the exact value, {sampled:.4g} to {least:.4g} sampled",
    )
