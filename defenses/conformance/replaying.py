"""Whether the defense can be replayed, by an adversary and by a trainer."""

from __future__ import annotations

import torch
from torch import Tensor

from defenses.bases.summed import Summed
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import SAME, apart, flat, rms
from defenses.conformance.subject import SIZE, STEPS, VISITED, Subject

TOLERANCE = 1.3
"""What a defense that rounds may be off its own estimate of the rounding error."""


def replay(subject: Subject) -> Verdict:
    """The replay of the true gradients explains the release: what is left is noise, not data.

    With equal generators the noise on a batch is that on no batch. A defense that claims no
    epsilon may leave something else instead, such as rounding, no larger than `Defense.noise`.
    """
    worst = 0.0
    for step in VISITED:
        none = subject.batch(0)
        alone = flat(subject.left(none, subject.release(none, step=step)))
        for count in (1, SIZE):
            grads = subject.batch(count)
            release = subject.release(grads, step=step)
            left = flat(subject.left(grads, release))
            scale = float(flat(release.update).abs().max())
            gap = float((left - alone).abs().max()) / max(scale, 1e-30)
            worst = max(worst, gap)
            if gap <= SAME:
                continue
            stated = subject.defense.noise(release)
            if subject.claims or rms(left) > TOLERANCE * stated + 1e-5 * scale:
                told = f"what is left has rms {rms(left):.3g} beside a noise of {stated:.3g}"
                return False, f"batch of {count}, step {step}: {told}, and depends on the data"
    return True, f"what is left is the same noise whatever the data, within {worst:.1g}"


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
    """Plan, contributions in chunks and finish, as a trainer calls them, make the release."""
    defense = subject.defense
    if not isinstance(defense, Summed):
        return True, "not a sum over examples: trainers call release itself"
    grads = subject.batch()
    for step in VISITED:
        whole = subject.release(grads, step=step).update
        draw = subject.drawing(step, 0)
        plan = defense.plan(subject.like, step=step, steps=STEPS, generator=draw)
        total: dict[str, Tensor] = {}
        for chunk in (slice(0, 3), slice(3, SIZE)):
            for name, value in defense.contribute(
                {k: g[chunk] for k, g in grads.items()}, plan
            ).items():
                total[name] = total[name] + value if name in total else value
        made = defense.finish(total, plan, batch_size=SIZE, generator=draw).update
        gap = apart(whole, made)
        if gap > SAME:
            return False, f"two chunks make another release at step {step}: {gap:.2g} off"
    return True, f"two chunks make the release at steps {VISITED}"
