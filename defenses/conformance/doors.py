"""The ways in which a batch goes through a defense, which must all come to the same release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from defenses.bases.summed import Summed
from defenses.conformance.subject import SIZE, STEPS, Subject
from defenses.contract import Gradients
from defenses.outer import Outer

Door = Callable[[Gradients], dict[str, Tensor]]
"""From per-example gradients to the update that is released of them."""


def doors_of(subject: Subject, step: int = 0) -> dict[str, Door]:
    """What callers do with a batch, by name, each with the same generator.

    Attacks call ``release``. Of a `Summed`, trainers and the Opacus optimizer call the parts, in
    chunks. What they give some of them instead of a batch is in `summed_gradients` and
    `factored_gradients`.
    """

    def whole(grads: Gradients) -> dict[str, Tensor]:
        return subject.release(grads, step=step).update

    defense = subject.defense
    if not isinstance(defense, Summed):
        return {"release": whole}

    def in_chunks(grads: Gradients) -> dict[str, Tensor]:
        half = len(next(iter(grads.values()))) // 2
        chunks = [
            {k: g[rows] for k, g in grads.items()} for rows in (slice(half), slice(half, None))
        ]
        return released_in_parts(subject, defense, chunks, step)

    return {"release": whole, "contributions in chunks": in_chunks}


def released_in_parts(
    subject: Subject, defense: Summed, chunks: Sequence[Any], step: int
) -> dict[str, Tensor]:
    """The update that plan, contributions of chunks and finish make, as a trainer does."""
    draw = subject.drawing(step, 0)
    plan = defense.plan(subject.like, step=step, steps=STEPS, generator=draw)
    total: dict[str, Tensor] = {}
    for chunk in chunks:
        for name, value in defense.contribute(chunk, plan).items():
            total[name] = total[name] + value if name in total else value
    return defense.finish(total, plan, batch_size=SIZE, generator=draw).update


def summed_gradients(grads: Gradients) -> Gradients:
    """(1, *shape) the sum of the examples, which a trainer gives a linear defense for all."""
    return {k: g.sum(0, keepdim=True) for k, g in grads.items()}


def factored_gradients(subject: Subject, batch: int = SIZE) -> dict[str, Tensor | Outer]:
    """Random gradients of which those of matrices are given by their factors."""
    found: dict[str, Tensor | Outer] = {}
    for name, value in subject.random(batch, "factored").items():
        if value.ndim == 3:
            left = subject.generator("left", name)
            slope = torch.randn(value.shape[:2], generator=left).to(value)
            found[name] = Outer(slope, value[:, 0])
        else:
            found[name] = value
    return found


def multiplied_out(grads: dict[str, Tensor | Outer]) -> dict[str, Tensor]:
    """The same gradients as tensors (B, *shape)."""
    return {k: g.dense() if isinstance(g, Outer) else g for k, g in grads.items()}
