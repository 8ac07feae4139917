"""Whether the defense can be replayed, by an adversary and by a trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from defenses.bases.summed import Summed
from defenses.conformance.doors import (
    doors_of,
    factored_gradients,
    multiplied_out,
    released_in_parts,
    summed_gradients,
)
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import SAME, flat, largest_difference, rms
from defenses.conformance.subject import SIZE, VISITED, Subject
from defenses.contract import Gradients

DIVISOR = (
    "; the divisor is off: divide the sum by release.public['batch_size'], not by the examples "
    "that are there, as .mean(0) does"
)
TOLERANCE = 1.3
"""What a defense that rounds may be off its own estimate of the rounding error."""


def replay(subject: Subject) -> Verdict:
    """The replay of the true gradients explains the release: what is left is noise, not data.

    With equal generators the noise on a batch is that on no batch. A defense that claims no
    epsilon may leave something else instead, such as rounding, no larger than `Defense.noise`.
    """
    return explained(subject, subject.batch(0), (1, SIZE))


def replay_of_whole_batches(subject: Subject) -> Verdict:
    """The same where every batch has as many examples as is public, as an attacked one has."""
    nothing = {k: torch.zeros_like(g) for k, g in subject.batch().items()}
    return explained(subject, nothing, (SIZE,))


def explained(subject: Subject, nothing: Gradients, counts: Sequence[int]) -> Verdict:
    """Whether what the replay leaves of batches is what it leaves of a batch without signal.

    Args:
        subject: what releases.
        nothing: the batch without signal.
        counts: sizes of the batches.
    """
    worst = 0.0
    for step in VISITED:
        alone = flat(subject.left(nothing, subject.release(nothing, step=step)))
        for count in counts:
            grads = subject.batch(count)
            release = subject.release(grads, step=step)
            left = flat(subject.left(grads, release))
            scale = float(flat(release.update).abs().max())
            gap = float((left - alone).abs().max()) / max(scale, 1e-30)
            worst = max(worst, gap)
            if gap <= SAME:
                continue
            stated = subject.defense.noise(release)
            most = TOLERANCE * stated + 1e-5 * scale
            if subject.claims or rms(left) > most:
                told = f"what is left has rms {rms(left):.3g} beside a noise of {stated:.3g}"
                told = f"batch of {count}, step {step}: {told}, and depends on the data"
                told += DIVISOR * _is_other_divisor(release.update, left, count, most)
                return False, told
    return True, f"what is left is the same noise whatever the data, within {worst:.1g}"


def _is_other_divisor(update: Mapping[str, Tensor], left: Tensor, count: int, most: float) -> bool:
    """Whether the replay fits once the public batch size divides it, and not the examples."""
    whole = flat(dict(update))
    return count != SIZE and rms(whole - (whole - left) * count / SIZE) <= most


def adaptive(subject: Subject) -> Verdict:
    """The replay can be differentiated, in double precision, and has slopes."""
    release = subject.release(subject.batch(3))
    grads = {k: g.double().requires_grad_() for k, g in subject.random(3, "guess").items()}
    total = torch.stack(
        [v.double().square().sum() for v in subject.defense.replay(grads, release).values()]
    ).sum()
    slopes = torch.autograd.grad(total, list(grads.values()), allow_unused=True)
    known = [s for s in slopes if s is not None]
    if not all(bool(torch.isfinite(s).all()) for s in known):
        return False, "the replay has slopes that are not finite"
    if not any(bool(s.any()) for s in known):
        return False, "the replay has no slope: no adversary can follow it"
    return True, f"slopes for {len(known)} of {len(slopes)} parameters"


def parts(subject: Subject) -> Verdict:
    """Plan, contributions and finish, as trainers call them, make the release.

    In chunks; from the sum of the batch where the defense says that it is linear; from factors
    where it says that it takes them.
    """
    defense = subject.defense
    if not isinstance(defense, Summed):
        return True, "not a sum over examples: trainers call release itself"
    grads, factors = subject.batch(), factored_gradients(subject)
    for step in VISITED:
        made = {name: door(grads) for name, door in doors_of(subject, step).items()}
        whole = made.pop("release")
        if defense.linear:
            name = "the sum of the batch as one example"
            made[name] = released_in_parts(subject, defense, [summed_gradients(grads)], step)
        pairs = [(name, whole, update) for name, update in made.items()]
        if defense.takes_factors():
            same = released_in_parts(subject, defense, [multiplied_out(factors)], step)
            split = released_in_parts(subject, defense, [factors], step)
            pairs.append(("gradients given by factors", same, split))
        for name, first, second in pairs:
            gap = largest_difference(first, second)
            if gap > SAME:
                return False, f"{name} make another release at step {step}: {gap:.2g} off"
    return True, f"{' and '.join(p[0] for p in pairs)} make the release at steps {VISITED}"
