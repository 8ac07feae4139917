"""Noise along the very direction in which an example moves the release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.conformance.limits import flat, least_rms, most_rms, rms
from defenses.conformance.subject import Subject, join
from defenses.contract import Gradients

LOOKS = (16, 64, 256)
"""Draws after which a suspicion is confirmed, dropped, or followed further."""


@dataclass(frozen=True)
class Along:
    """What was found along a movement.

    Attributes:
        moved: typical distance that the example moves the release.
        noise: standard deviation of the noise in that direction.
        lacking: whether the noise is less than it must be, beyond chance.
        draws: looked at.
    """

    moved: float
    noise: float
    lacking: bool
    draws: int


def along(
    subject: Subject,
    grads: Gradients,
    one: Gradients,
    required: Callable[[Tensor], Tensor],
    *,
    step: int = 0,
) -> Along:
    """Whether noise hides one more example in the direction in which that moves the release.

    For Gaussian noise of any covariance S the mechanism has the noise multiplier m for which
    d^T S^-1 d is 1 / m^2, d being the movement. By Cauchy and Schwarz the standard deviation of the
    noise along d is then at least m |d|: what a defense fails to have here, it cannot claim. So
    noise that lives in a subspace is measured where data can go.

    Args:
        subject: what releases.
        grads: the batch.
        one: gradients (1, *shape) of the example that joins.
        required: the least noise std for movements (draws,) of the release.
        step: of the releases.
    """
    moved, noise = torch.zeros(0).double(), torch.zeros(0).double()
    for look in LOOKS:
        pairs = [_pair(subject, grads, one, step, draw) for draw in range(len(moved), look)]
        moved = torch.cat([moved, torch.stack([length for length, _ in pairs])])
        noise = torch.cat([noise, torch.stack([share for _, share in pairs])])
        shares = noise / required(moved).clamp(min=1e-30)
        found = rms(shares[moved > 0]) if bool((moved > 0).any()) else 1.0
        lacking = found < least_rms(look)
        if lacking or found > 1 - 1.5 / (2 * look) ** 0.5:
            break
    return Along(rms(moved), rms(noise), lacking, look)


def wider(
    subject: Subject, grads: Gradients, one: Gradients, stated: float, *, step: int = 0
) -> bool:
    """Whether the noise along a movement is more than the stated std, beyond chance.

    So it is where the stated std is that of the quietest direction, as `GEP`'s.
    """
    noise: list[Tensor] = []
    for look in LOOKS:
        noise += [_pair(subject, grads, one, step, draw)[1] for draw in range(len(noise), look)]
        if rms(torch.stack(noise)) > stated * most_rms(look):
            return True
    return False


def _pair(
    subject: Subject, grads: Gradients, one: Gradients, step: int, draw: int
) -> tuple[Tensor, Tensor]:
    """How far the example moves a release, and how much of its noise lies along that movement."""
    base = subject.release(grads, step=step, draw=draw)
    moved = subject.release(join(grads, one), step=step, draw=draw)
    way = flat(moved.update) - flat(base.update)
    length = way.norm()
    return length, flat(subject.left(grads, base)) @ way / length.clamp(min=1e-30)
