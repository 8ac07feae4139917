"""Whether a release has the form that everybody relies on."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from defenses.bases.summed import Summed
from defenses.conformance.doors import (
    doors_of,
    factored_gradients,
    multiplied_out,
    released_in_parts,
)
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import SAME, largest_difference
from defenses.conformance.subject import SIZE, VISITED, Subject, join
from defenses.errors import BadInput, is_refused
from defenses.outer import Outer


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
    if not is_refused(partial(subject.release, size=None), subject.batch(0)):
        return False, "an empty batch without a public batch size is not refused"
    return True, f"batches of 0, 1 and {SIZE} at steps {VISITED}"


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
    """A batch with an example that is not finite releases what it does without that example.

    At every door: `Defense.release`, and the parts of a `Summed` as trainers call them. Only where
    no epsilon is claimed may a batch be refused instead: that it was tells who is in it.
    """
    clean = subject.batch(3)
    less = {k: torch.cat([g[:1], g[2:]]) for k, g in clean.items()}
    tried = 0
    for bad in (math.nan, math.inf, -math.inf):
        for name in subject.like:
            grads = {k: g.clone() for k, g in clean.items()}
            grads[name][1].view(-1)[0] = bad
            for door, act in doors_of(subject).items():
                tried += 1
                try:
                    made = act(grads)
                except BadInput as error:
                    if subject.claims:
                        return False, f"{bad} in {name} is refused by {door}, which tells: {error}"
                    continue
                for key, value in made.items():
                    if lost := int((~torch.isfinite(value)).sum()):
                        return False, f"{bad} in {name} comes out of {door}: {lost} of {key}"
                gap = largest_difference(act(less), made)
                if gap > SAME:
                    return False, f"an example with {bad} in {name} moves {door} by {gap:.2g}"
    if told := _unfinite_factors(subject):
        return False, told
    return True, f"{tried} batches with one NaN or infinite value release what they do without it"


def _unfinite_factors(subject: Subject) -> str | None:
    """The mistake with gradients that are given by factors, in words; None where there is none."""
    defense = subject.defense
    if not (isinstance(defense, Summed) and defense.takes_factors()):
        return None
    clean = factored_gradients(subject, 3)
    less = {k: g[[0, 2]] for k, g in multiplied_out(clean).items()}
    base = released_in_parts(subject, defense, [less], 0)
    for name, grad in clean.items():
        if not isinstance(grad, Outer):
            continue
        for bad in (math.nan, math.inf):
            slope = grad.slope.clone()
            slope[1, 0] = bad
            spoilt = {**clean, name: Outer(slope, grad.inputs)}
            gap = largest_difference(base, released_in_parts(subject, defense, [spoilt], 0))
            if not gap <= SAME:
                return f"an example with {bad} among the factors of {name} moves the release"
    return None


def divisor(subject: Subject) -> Verdict:
    """The sum is divided by the public batch size, not by the realised one."""
    grads = subject.batch()
    nothing = {k: torch.zeros_like(g[:1]) for k, g in grads.items()}
    base = subject.release(grads).update
    gap = largest_difference(base, subject.release(join(grads, nothing)).update)
    if gap > SAME:
        told = f"an example without gradient moves the update by {gap:.2g} of its size"
        return False, f"{told}: divide the sum by batch_size, as .mean(0) does not"
    if not subject.claims:
        return True, "an example without gradient moves nothing"
    none = {k: g[:0] for k, g in grads.items()}

    def signal(size: int) -> dict[str, Tensor]:
        noise = subject.release(none, size=size).update
        return {k: v - noise[k] for k, v in subject.release(grads, size=size).update.items()}

    gap = largest_difference(signal(SIZE), {k: 2 * v for k, v in signal(2 * SIZE).items()})
    if gap > SAME:
        return False, f"twice the public batch size does not halve the signal: {gap:.2g} off"
    return True, "an example without gradient moves nothing; twice the batch size halves the signal"
