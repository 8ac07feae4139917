"""Checks evidence that a user hands over; each failure is one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from defenses import BadInput
from reports.estimates.counts import count_of


def check_evidence(fields: Mapping[str, Any]) -> None:
    """Sizes, types, labels and finiteness of an `Evidence`'s fields.

    Raises:
        BadInput: the first thing that is wrong.
    """
    for name, value in fields.items():
        if value is not None and not isinstance(value, Tensor):
            raise BadInput(f"{name} must be a tensor, not {type(value).__name__}")
    target, labels = fields["target_logits"], fields["labels"]
    if target.ndim not in (2, 3) or 0 in target.shape or target.shape[-1] < 2:
        raise BadInput(
            f"target_logits are {shape(target)}; they must be (N, C) or (N, Q, C) with C >= 2"
        )
    _labels("labels", labels, len(target), target.shape[-1])
    _logits("target_logits", target, tuple(target.shape))
    _shadows(fields["shadow_logits"], fields["shadow_members"], target)
    _population(fields, target)
    devices = {str(value.device) for value in fields.values() if value is not None}
    if len(devices) > 1:
        raise BadInput(f"the evidence lies on several devices: {', '.join(sorted(devices))}")


def shape(tensor: Tensor) -> str:
    """``(8, 100, 10)``."""
    return str(tuple(tensor.shape))


def _labels(name: str, labels: Tensor, count: int, classes: int) -> None:
    if labels.shape != (count,) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise BadInput(
            f"{name} are {shape(labels)} {labels.dtype}; they must be ({count},) integers"
        )
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise BadInput(
            f"{name} lie in [{int(labels.min())}, {int(labels.max())}]; "
            f"logits of {classes} classes allow [0, {classes - 1}]"
        )


def _logits(name: str, logits: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(logits.shape) != expected:
        raise BadInput(f"{name} are {shape(logits)}; they must be {expected}")
    if not logits.is_floating_point():
        raise BadInput(f"{name} are {logits.dtype}; they must be floating-point logits")
    for part in logits.split(max(1, 2**24 // max(1, logits[:1].numel()))):
        if not bool(torch.isfinite(part).all()):
            raise BadInput(f"{name} hold NaN or infinity; every logit must be finite")


def _shadows(logits: Tensor | None, members: Tensor | None, target: Tensor) -> None:
    if logits is None and members is None:
        return
    if logits is None or members is None:
        raise BadInput("shadow_logits and shadow_members come together; one of them is missing")
    if logits.ndim != target.ndim + 1:
        raise BadInput(
            f"shadow_logits are {shape(logits)}; target_logits of {shape(target)} "
            f"need (K, {', '.join(map(str, target.shape))})"
        )
    _logits("shadow_logits", logits, (len(logits), *target.shape))
    if tuple(members.shape) != tuple(logits.shape[:2]) or members.dtype != torch.bool:
        raise BadInput(
            f"shadow_members are {shape(members)} {members.dtype}; "
            f"they must be {tuple(logits.shape[:2])} bool"
        )


def _population(fields: Mapping[str, Any], target: Tensor) -> None:
    seen, labels = fields["population_target_logits"], fields["population_labels"]
    shadow = fields["population_shadow_logits"]
    if seen is None and labels is None and shadow is None:
        return
    if seen is None or labels is None:
        raise BadInput("population_target_logits and population_labels come together")
    queries = target.shape[1] if target.ndim == 3 else 1
    fits = seen.ndim == 2 or (seen.ndim == 3 and seen.shape[1] in (1, queries))
    if not fits or seen.shape[-1] != target.shape[-1] or len(seen) == 0:
        raise BadInput(
            f"population_target_logits are {shape(seen)}; target_logits of {shape(target)} "
            f"need (M, {target.shape[-1]}) or (M, 1 or {queries}, {target.shape[-1]})"
        )
    _labels("population_labels", labels, len(seen), target.shape[-1])
    _logits("population_target_logits", seen, tuple(seen.shape))
    if shadow is not None:
        if fields["shadow_logits"] is None:
            raise BadInput("population_shadow_logits need shadow_logits and shadow_members")
        expected = (len(fields["shadow_logits"]), *seen.shape)
        _logits("population_shadow_logits", shadow, expected)


def require_shadows(
    attack: str, members: Tensor, *, models: int = 1, inside: int = 0, outside: int = 0
) -> None:
    """Enough shadow models, in all and for every example.

    Args:
        attack: the attack's name, for the message.
        members: (K, N) bool.
        models: fewest shadow models.
        inside: fewest shadows, per example, that were trained on it.
        outside: fewest shadows, per example, that were not.

    Raises:
        BadInput: naming the first example that falls short.
    """
    if len(members) < models:
        needed = count_of(models, "shadow model")
        raise BadInput(f"{attack} needs at least {needed}; there are {len(members)}")
    for mask, least, word in ((members, inside, "in"), (~members, outside, "out of")):
        counts = mask.sum(0)
        short = (counts < least).nonzero()
        if len(short):
            first = int(short[0])
            raise BadInput(
                f"{attack} needs every example {word} at least {least} of the shadow models' "
                f"training sets; example {first} is {word} {int(counts[first])} of {len(members)}"
            )
