"""How many evaluations an optimiser needs before it is the method that limits it."""

from __future__ import annotations

from attacks.invert.contract import Threat

EACH, MOST = 3, 10
"""An optimiser on a batch gets so many times the evaluations of one on a single image for each of
its examples, and no more than that in all."""


def has_noise(threat: Threat) -> bool:
    """Whether this adversary knows of noise on the release."""
    known = threat.defense.public(threat.batch_size)
    return threat.adaptive and float(known.get("noise_std", 0)) > 0


def mixes(threat: Threat) -> bool:
    """Whether one gradient is of several examples; several local steps have one each."""
    return threat.batch_size > 1 and (threat.local is None or threat.local.steps == 1)


def effort(iterations: int, threat: Threat) -> int:
    """Evaluations of an optimiser that gets so many for a single image.

    A mean gradient hides the examples of a batch behind one another: `EACH` times more for each of
    them, but no more than `MOST` times; after several local steps as many as for one image. Under
    noise no fewer: what a defense hides is compared with the undefended update, and fewer would
    look like protection. A descent on a noisy release ends earlier by itself.

    Args:
        iterations: for a single image.
        threat: what the adversary has.
    """
    more = min(EACH * threat.batch_size, MOST) if mixes(threat) else 1
    return iterations * more
