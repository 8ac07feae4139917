"""Each example's direction in the space of a batch's slopes, by whichever search tells it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.labels import recover_labels
from attacks.invert.sparsity.cones import cones_of_labels
from attacks.invert.sparsity.directions import sparse_directions
from attacks.invert.sparsity.one_layer import can_be_slopes, slopes_of_logits
from attacks.invert.sparsity.rays import ray_directions
from defenses import Release

FEW = 2
"""Rounds of the search of zeros before linear programs, where these can follow; the others come
after them."""


def example_directions(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    bias: str,
    left: Tensor,
    seen: Tensor,
    *,
    rounds: int,
    programs: int,
    zero: float,
    generator: torch.Generator,
    clock: Clock,
) -> Tensor:
    """The directions q for which ``left @ q`` are the slopes of one example at a layer's outputs.

    Args:
        model: the victim.
        loss: the victim's.
        release: tells the labels, where linear programs are solved.
        threat: ``batch_size`` examples; a batch of one is anything with zeros.
        bias: name of the layer's bias.
        left: (m, r) float64 whose columns span the slopes.
        seen: (m,) bool, the rows of ``left`` that are right.
        rounds: of `sparse_directions`.
        programs: of `ray_directions`, where a single ReLU layer lies before the logits.
        zero: an entry below this share of the largest is a zero.
        generator: of both searches.
        clock: ends them.

    Returns:
        (k, r) of unit length and full rank, k <= r.
    """
    rows = left[seen]
    common: dict[str, Any] = {"zero": zero, "generator": generator, "clock": clock}
    told = slopes_of_logits(model, bias, threat) if threat.batch_size > 1 else None
    if told is None:
        return sparse_directions(rows, rounds=rounds, **common)
    told = told[:, seen]
    common["fits"] = can_be_slopes(told)
    first = min(rounds, FEW) if programs else rounds
    found = sparse_directions(rows, rounds=first, **common)
    if len(found) == rows.shape[1] or not programs:
        return found
    counts = recover_labels(model, loss, release, threat).bincount(minlength=threat.classes)
    cones = cones_of_labels(model, loss, told, threat)
    found = ray_directions(rows, cones, found, counts.tolist(), programs=programs, **common)
    return sparse_directions(rows, found, rounds=rounds - first, **common)
