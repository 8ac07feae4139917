"""What an adversary sees of a defense that acts before the gradient, and makes of it."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import cross_entropy

from attacks.invert.adversary import Adversary
from attacks.invert.contract import Threat
from attacks.invert.victim import Victim
from tests.conftest import seeded


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * math.log10(float((one - other).square().mean()))


def seen_by(model, defense, photos, auxiliary, index=0, adaptive=True, batch=1, seed=3):
    """A release of photographs under a defense that acts before the gradient."""
    images, labels = (v[index : index + batch] for v in (photos.images, photos.labels))
    victim = Victim(model, cross_entropy, defense)
    grads = victim.gradients(images, labels, generator=seeded(seed))
    release = defense.release(grads, generator=seeded(seed))
    about = (defense, adaptive, (3, 32, 32), photos.classes, batch)
    threat = Threat(*about, auxiliary.images, auxiliary.labels, 60.0)
    return release, threat, images, labels, grads


def guess_of(attack, model, release, threat):
    """What an adversary makes of a release."""
    victim = Victim(model, cross_entropy, threat.defense)
    return Adversary(attack, threat).guess(victim, release, generator=seeded())
