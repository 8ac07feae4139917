"""Whether a release has the form that everybody relies on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from defenses.conformance.finding import Verdict
from defenses.conformance.limits import SAME, apart
from defenses.conformance.subject import SIZE, VISITED, Subject, join
from defenses.contract import Release
from defenses.registry import BadInput


def shapes(subject: Subject) -> Verdict:
    """Batches of 0, 1 and B give finite updates of the parameters' names, shapes and types."""
    for count in (0, 1, SIZE):
        for step in VISITED:
            release = subject.release(subject.batch(count), step=step)
            where = f"batch of {count} at step {step}"
            if release.update.keys() != subject.like.keys():
                return False, f"{where}: names {sorted(release.update)}, not {sorted(subject.like)}"
            for name, like in subject.like.items():
                value = release.update[name]
                if value.shape != like.shape or value.dtype != like.dtype:
                    is_ = f"{tuple(value.shape)} {value.dtype}"
                    return False, f"{where}: {name} is {is_}, not {tuple(like.shape)} {like.dtype}"
                if not torch.isfinite(value).all():
                    return False, f"{where}: {name} is not finite"
            noise = release.public.get("noise_std", math.nan)
            if release.public.get("batch_size") != SIZE or not 0 <= noise < math.inf:
                return False, f"{where}: public facts lack the batch size or a noise std >= 0"
            if release.wire_bytes < (count > 0):  # an empty batch may go without saying
                return False, f"{where}: {release.wire_bytes} bytes on the wire"
    try:
        subject.release(subject.batch(0), size=None)
    except BadInput:
        return True, f"batches of 0, 1 and {SIZE} at steps {VISITED}"
    return False, "an empty batch without a public batch size is not refused"


def determinism(subject: Subject) -> Verdict:
    """The same generator state gives the same release."""
    grads = subject.batch()
    for step in VISITED:
        first, second = (subject.release(grads, step=step) for _ in range(2))
        for name, value in first.update.items():
            if not torch.equal(value, second.update[name]):
                return False, f"{name} at step {step} differs between equal generators"
    return True, f"equal generators, equal releases at steps {VISITED}"


def finite(subject: Subject) -> Verdict:
    """Gradients that are not finite are refused, or at least do not come out."""
    tried = 0
    for bad in (math.nan, math.inf, -math.inf):
        for name in subject.like:
            grads = {k: g.clone() for k, g in subject.batch(3).items()}
            grads[name][1].view(-1)[0] = bad
            tried += 1
            try:
                release: Release = subject.release(grads)
            except BadInput:
                continue
            for key, value in release.update.items():
                lost = int((~torch.isfinite(value)).sum())
                if lost:
                    return False, f"{bad} in {name} comes out: {lost} coordinates of {key}"
    return True, f"{tried} batches with one NaN or infinite value are refused or made harmless"


def divisor(subject: Subject) -> Verdict:
    """The sum is divided by the public batch size, not by the realised one."""
    grads = subject.batch()
    nothing = {k: torch.zeros_like(g[:1]) for k, g in grads.items()}
    base = subject.release(grads).update
    gap = apart(base, subject.release(join(grads, nothing)).update)
    if gap > SAME:
        return False, f"an example without gradient moves the update by {gap:.2g} of its size"
    if not subject.claims:
        return True, "an example without gradient moves nothing"
    none = {k: g[:0] for k, g in grads.items()}

    def signal(size: int) -> dict[str, Tensor]:
        noise = subject.release(none, size=size).update
        return {k: v - noise[k] for k, v in subject.release(grads, size=size).update.items()}

    gap = apart(signal(SIZE), {k: 2 * v for k, v in signal(2 * SIZE).items()})
    if gap > SAME:
        return False, f"twice the public batch size does not halve the signal: {gap:.2g} off"
    return True, "an example without gradient moves nothing; twice the batch size halves the signal"
