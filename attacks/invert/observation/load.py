"""A gradient captured elsewhere, as a Release that can be attacked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from defenses import BadInput, Defense, Release
from victims.gradients import LocalSteps
from victims.gradients.captured import BATCH, UPDATE, part_of
from victims.gradients.local_steps import MOMENTUM
from victims.models.weights import unwrap

MOST = 4096
"""Images of one update at most: a file that says more would only fill the memory."""


def load_observation(
    path: Path,
    model: nn.Module,
    defense: Defense,
    batch_size: int,
    local: LocalSteps | None = None,
) -> Release:
    """Read ``parameter name -> update`` tensors from a safetensors file.

    Args:
        path: the file, perhaps written by `victims.capture`; its tensors must carry the model's
            parameter names, perhaps with what a wrapper puts in (see
            `victims.models.weights.WRAPPERS`), and shapes. Buffers and frozen parameters of the
            model may be among them and are passed over, whatever they hold.
        model: the model whose update it is.
        defense: what produced the update, so that an adaptive attack can replay it.
        batch_size: examples in the private batch.
        local: the local steps whose weight difference it is, start minus end; None: a gradient.

    Raises:
        BadInput: not a safetensors file (a pickle is never opened), truncated, other names or
            shapes than the model's, no floating-point numbers, NaN or
            infinite values, in float32 too, or zeros in all trainable parameters.
    """
    expected = {k: tuple(p.shape) for k, p in model.named_parameters() if p.requires_grad}
    passed = {*model.state_dict(), *(k for k, _ in model.named_parameters())} - set(expected)
    passed |= {k for k, _ in model.named_buffers()}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            places = part_of(set(file.keys()), UPDATE)
            plain = unwrap(places)  # as Opacus, DataParallel and torch.compile name them
            if not set(expected) <= set(places) and len(plain) == len(places):
                places = plain
            _check_names(path, set(places), expected, passed)
            found = {name: file.get_tensor(places[name]) for name in expected}
    except BadInput:
        raise
    except Exception as error:  # what the reader raises for a hostile header is not documented
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error
    update = {k: _check_value(path, k, found[k], shape) for k, shape in expected.items()}
    kept = sum(int((v != 0).sum()) for v in update.values())
    if not kept:
        raise BadInput(
            f"{path} is zero in all {len(update)} trainable parameters: there is nothing to attack"
        )
    if local is None:
        return Release(update, defense.public(batch_size), 4 * kept)
    return Release(update, defense.public(1) | local.facts(), 4 * kept)


def agree_on_facts(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is public of a weight difference: what the file's metadata state, and flags do.

    A file of a weight difference states ``local_steps``, ``local_lr``, ``local_batch`` and, where
    there is any, ``local_momentum`` in its safetensors metadata, as text; one of a gradient
    perhaps its ``batch``.

    Args:
        path: the file.
        given: the same facts from elsewhere, None where they were not given.

    Returns:
        Each fact; all None of a gradient.

    Raises:
        BadInput: the file cannot be read, states a fact that is no number, or another one than
            was given, or the update is of more than `MOST` images.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stated = file.metadata() or {}
    except Exception as error:  # what the reader raises for a hostile header is not documented
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error
    facts = dict(given)
    for name in set(facts) & set(stated):
        real = name in ("local_lr", MOMENTUM)
        try:
            value = float(stated[name]) if real else int(stated[name])
        except ValueError as error:
            raise BadInput(f"{path} states {name} {stated[name]!r:.40}, not a number") from error
        if facts[name] not in (None, value):
            raise BadInput(f"{path} states {name} {value}, but {facts[name]} was given")
        facts[name] = value
    steps, batch = (facts.get(name) or 0 for name in ("local_steps", "local_batch"))
    images = max(facts.get(BATCH) or 0, steps * batch)
    if images > MOST:
        raise BadInput(f"{path} is of {images} images; an attack takes {MOST} at most")
    return facts


def _check_names(
    path: Path, found: set[str], expected: Mapping[str, Any], passed: set[str]
) -> None:
    """Refuse names that are missing or are too many."""
    missing, extra = sorted(set(expected) - found), sorted(found - set(expected) - passed)
    if missing:
        raise BadInput(f"{path} lacks the parameter {missing[0]!r} of the model")
    if extra:
        raise BadInput(f"{path} holds {extra[0]!r}, which the model does not have")


def _check_value(path: Path, name: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """One parameter's update in float32, as attacks take it."""
    if tuple(value.shape) != shape:
        raise BadInput(f"{path}: {name!r} is {tuple(value.shape)}; the model has {shape}")
    if not value.is_floating_point():
        raise BadInput(f"{path}: {name!r} is {value.dtype}; it must hold floating-point numbers")
    value = value.float()
    if not bool(torch.isfinite(value).all()):
        raise BadInput(f"{path}: {name!r} must hold finite floating-point numbers in float32")
    return value
