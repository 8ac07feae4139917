"""Checks what one more example changes, in the step that draws it and in later ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from defenses.conformance.finding import Verdict
from defenses.conformance.limits import ROUNDING
from defenses.conformance.sensitivity import reach
from defenses.conformance.subject import Subject
from victims.conformance.loop import Loop, claims, released_sum, take_step, weights_of

HUGE = 1e3


def neighbours(loop: Loop) -> Verdict:
    """One more example moves a step's released sum by no more than the defense lets it.

    Layers that mix examples, views or uses of a tied weight that are clipped one by one, and
    whatever else gives an example more than its share shows here: its gradients are taken in
    company, with equal seeds so that the noise cancels. The limit is how far an adversarial
    gradient moves the defense alone, or noise std over claimed noise multiplier if larger.
    """
    base = loop.trainer()
    if not claims(base):
        return True, "claims no epsilon: one example may move it at will"
    count = min(5, len(loop.inputs)) | 1
    company = torch.arange(count) % len(loop.inputs)
    limit = reach(Subject(base.informed(), dict(base.parameters), loop.seed))
    before = weights_of(base)
    first = take_step(base, company)
    multiplier = base.plan.defense.effective_noise()
    if multiplier:
        stated = first.public["noise_std"] * first.public["batch_size"]
        limit = max(limit, stated / multiplier)
    farthest, which = 0.0, ""
    for name, (image, label) in _examples(loop).items():
        for place, order in (("last", [company, _last(loop)]), ("first", [_last(loop), company])):
            other = loop.trainer(image, label)
            if not torch.equal(before, weights_of(other)):
                return False, "equal seeds give unequal weights at step 0: nothing can be compared"
            release = take_step(other, torch.cat(order))
            moved = float((released_sum(release) - released_sum(first)).norm())
            if not math.isfinite(moved):
                return False, f"one more ({name}, {place}) makes the release infinite or NaN"
            if moved > farthest:
                farthest, which = moved, f"one more ({name}, {place})"
    if farthest == 0:
        return False, "an added example moves nothing in the step that draws it"
    holds = farthest <= limit * (1 + ROUNDING)
    return (
        holds,
        f"{which} moves the released sum by {farthest:.4g}; the defense allows {limit:.4g}",
    )


def memory(loop: Loop) -> Verdict:
    """An example moves the release of the step that drew it, and no later one by itself.

    Weights are put back, and with them what the defense remembers, if it claims an epsilon: that
    must then follow from what was released.
    """
    image, label = _examples(loop)["huge"]
    base, other = loop.trainer(), loop.trainer(image, label)
    if not claims(base):
        return True, "claims no epsilon: what it remembers is its own affair"
    company = torch.arange(3) % len(loop.inputs)
    for trainer, index in ((base, company), (other, torch.cat([company, _last(loop)]))):
        start = trainer.network.weights()
        take_step(trainer, index)
        trainer.network.put(start)
    other.memory = {k: v.clone() for k, v in base.memory.items()}
    plain, after = (released_sum(take_step(t, company)) for t in (base, other))
    gap, scale = float((after - plain).norm()), float(plain.norm())
    fact = f"an example of the step before moves this one's sum by {gap:.3g} of {scale:.3g}"
    return gap <= 1e-4 * scale, fact


def _examples(loop: Loop) -> dict[str, tuple[Tensor, Tensor]]:
    """Examples (1, ...) and labels (1,) that an adversary would add."""
    like, labels = loop.inputs[:1], loop.labels
    noise = torch.randn(like.shape, generator=loop.generator("added"), dtype=like.dtype)
    classes = labels.unique()
    low, high = classes[:1], classes[-1:]
    return {
        "huge": (HUGE * noise, low),
        "huge, other label": (HUGE * noise, high),
        "huge and opposite": (-HUGE * noise, low),
        "blank": (torch.zeros_like(like), high),
        "a copy": (loop.inputs[:1].clone(), labels[:1]),
        "a copy, other label": (loop.inputs[:1].clone(), high if labels[0] != high else low),
    }


def _last(loop: Loop) -> Tensor:
    """(1,) index of an example that has joined those of the loop."""
    return torch.tensor([len(loop.inputs)])
