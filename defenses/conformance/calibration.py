"""Whether the noise has the stated size everywhere, at every step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from defenses.conformance.directions import Along, along
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import least_rms, most_rms, rms, shape_statistics, worth
from defenses.conformance.neighbours import HUGE
from defenses.conformance.subject import DRAWS, SIZE, VISITED, Subject
from defenses.contract import Gradients

PER_STEP = DRAWS // 2
NORMAL = 6.0
"""Standard errors of skewness and kurtosis; their tails are longer than a normal's."""


def calibration(subject: Subject) -> Verdict:
    """Noise has at least the stated std on each parameter, step and size of batch.

    It must be normal where the guarantee rests on a Gaussian mechanism; of other noise, such as
    Laplace's, as much variation of the measured std is allowed as its own tails make.
    Coordinates that come out as zero are left to the check of the support. Noise below the
    stated size is measured again along a movement of that parameter: noise in a subspace is
    smaller on single coordinates, but not where data can go.
    """
    if not all(subject.noise(step, 0).stated for step in VISITED):
        if subject.claims:
            return False, "claims a finite epsilon with a stated noise std of 0"
        return True, "states no noise"
    gaussian = subject.defense.effective_noise() > 0
    each = 1.0 if gaussian else _worth(subject)
    extremes = [math.inf, 0.0]
    even: list[Tensor] = []
    for step in VISITED:
        stated = subject.noise(step, 0).stated
        for name in subject.like:
            least, suspect = math.inf, SIZE
            for count in (0, 1, SIZE):
                noise = _noise(subject, name, step, count)
                if not noise.numel():
                    continue
                share = rms(noise) / stated
                extremes = [min(extremes[0], share), max(extremes[1], share)]
                if share < least_rms(each * len(noise)):
                    least, suspect = min((least, suspect), (share, count))
                elif count == SIZE and share <= most_rms(len(noise)):
                    even.append(noise / stated)
            if least < math.inf:
                look = _along(subject, subject.batch(suspect), name, step, stated)
                if look.lacking:
                    told = f"noise std {least:.3g} of the stated {stated:.3g}"
                    where = f"{name}, step {step}, batch of {suspect}"
                    return False, f"{where}: {told}; along data {look.noise / stated:.3g} of it"
    skew, tails = shape_statistics(torch.cat(even)) if even and gaussian else (0.0, 0.0)
    if max(abs(skew), abs(tails)) > NORMAL:
        size = f"skewness {skew:.1f} and kurtosis {tails:.1f} standard errors off"
        return False, f"the noise is not normal: {size}, limit {NORMAL:g}"
    low, high = extremes
    return (
        True,
        f"std {low:.3g} to {high:.3g} of the stated one; 1 less 5.3 standard errors is asked",
    )


def _worth(subject: Subject) -> float:
    """See `limits.worth`: of the noise of all parameters, each at its own size."""
    found = [_noise(subject, name, 0, SIZE) for name in subject.like]
    return worth(torch.cat([f / max(rms(f), 1e-30) for f in found]))


def _noise(subject: Subject, name: str, step: int, count: int) -> Tensor:
    """Noise of a parameter over some draws, on the coordinates that came out."""
    found = []
    for draw in range(PER_STEP if count == SIZE else 2):
        noise = subject.noise(step, draw, count)
        found.append(noise.left[name][noise.kept[name]])
    return torch.cat(found)


def _along(subject: Subject, grads: Gradients, name: str, step: int, stated: float) -> Along:
    """The noise where gradients of one parameter move the release."""
    one = {k: torch.zeros((1, *v.shape)).to(v) for k, v in subject.like.items()}
    one[name] = HUGE * subject.random(1, "along", name)[name]
    return along(subject, grads, one, lambda moved: torch.full_like(moved, stated), step=step)
