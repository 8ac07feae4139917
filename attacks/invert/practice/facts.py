"""What an adversary knows of the victim's releases before one is attacked."""

from __future__ import annotations

from attacks.invert.contract import Threat
from attacks.invert.matching.objective import support
from defenses import Release


def misses(release: Release, threat: Threat) -> bool:
    """Whether coordinates of one example's gradient are missing, so that learning pays."""
    if threat.batch_size > 1 or threat.local is not None or not threat.adaptive:
        return False
    return not all(bool(mask.all()) for mask in support(release, threat).values())
