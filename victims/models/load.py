"""Loads victim models by name, untrained or with weights from a file, as a defense has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from defenses import BadInput, Defense, preprocessing, stream
from defenses.errors import one_line
from defenses.randomness import child
from victims.models import probing
from victims.models.architectures import draw_model
from victims.models.weights import fit_names, read_state


def load_model(
    name: str,
    *,
    image_shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    weights: str | Path | None = None,
    generator: torch.Generator | None = None,
    fit: Callable[[nn.Module], nn.Module] = lambda model: model,
) -> nn.Module:
    """Load a victim model: float32, in eval mode, logits (B, classes) from (B, C, H, W) in [0, 1].

    Args:
        name: one of `model_names`; ``timm:NAME``, ``torchvision:NAME`` or ``hf:NAME``; or
            ``pkg.module:object``, a module or what makes one of (image_shape, classes) or of
            nothing.
        image_shape: (C, H, W).
        classes: number of labels.
        mean: per channel, subtracted by the first layer; None: 0.5, or 0 for those in `PLAIN`.
        std: per channel, divided by; None: 0.25, or 1 for those in `PLAIN`.
        weights: a safetensors file with the model's state dict, before or after ``fit``, or one
            that `victims.capture` wrote; None leaves it untrained.
        generator: draws the initial weights; None: that of seed 0.
        fit: what a defense makes of the model (`defenses.preprocessing.equip`).

    Raises:
        BadInput: unknown name, images the architecture cannot take, an output that is not
            (B, classes), or a weights file that does not fit. Of a user's own also: TorchScript,
            weights that the seed does not settle, logits that depend on the other images of the
            batch or change from pass to pass in eval mode (`victims.models.probing`).
    """
    draw = child(generator or stream(0, "model"))
    key = draw.get_state()
    model = draw_model(name, image_shape, classes, mean, std, draw)
    if ":" in name:
        draw.set_state(key)
        probing.refuse_other_weights(
            name, model, draw_model(name, image_shape, classes, mean, std, draw)
        )
    if weights is not None:
        state = read_state(Path(weights))
        changed = fit(model)
        whole = fit_names(state, changed.state_dict())
        if changed is not model and whole.keys() == changed.state_dict().keys():
            return _with_weights(changed, whole, weights)
        model = _with_weights(model, state, weights)
    if ":" in name:
        probing.refuse_odd_passes(name, model, image_shape, classes)
    return fit(model)


def load_defended(
    name: str,
    defense: Defense,
    *,
    seed: int,
    layers: str,
    image_shape: tuple[int, int, int],
    classes: int,
    weights: str | Path | None,
) -> nn.Module:
    """Load a model as it is under a defense, its new weights drawn by ``seed``.

    Args:
        name: see `load_model`.
        defense: the defense, which may change the model.
        seed: the seed of the weights.
        layers: ``all`` or, where only the last linear layer is to be trained, ``last``.
        image_shape: (C, H, W).
        classes: the number of labels.
        weights: a safetensors file, see `load_model`; None leaves the model untrained.

    Raises:
        BadInput: see `load_model`; or ``layers`` is ``last``, which would freeze what the defense
            changes.
    """
    model = load_model(
        name,
        image_shape=image_shape,
        classes=classes,
        weights=weights,
        generator=stream(seed, "model"),
        fit=lambda plain: preprocessing.equip(defense, plain, stream(seed, "fitted")),
    )
    if layers == "last" and preprocessing.draws(model):
        raise BadInput(
            f"defense {defense.name!r} changes layers in front of the last one, "
            "which --layers last would freeze"
        )
    return model


def _with_weights(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> nn.Module:
    """The model with the weights of a file, which are finite and fit."""
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise BadInput(f"{path} holds NaN or infinite values in {name!r}")
    own = model.state_dict()
    named = fit_names(state, own)
    if named.keys() != state.keys():  # names alone are ours to change: buffers of ours are kept
        named = {**own, **named}
    if reason := _misfit(named, own):
        raise BadInput(f"{path} does not fit the model: {reason}")
    try:
        model.load_state_dict(named)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit the model: {one_line(error, 300)}") from error
    return model


def _misfit(given: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The first tensor that a model's state and a file do not agree about; empty: there is none."""
    for name, value in own.items():
        if name not in given:
            return f"it lacks {name!r}"
        if isinstance(value, Tensor) and value.shape != given[name].shape:
            theirs, ours = tuple(given[name].shape), tuple(value.shape)
            return f"{name!r} is {theirs} there, and {ours} in the model"
    extra = [name for name in given if name not in own]
    return f"it holds {extra[0]!r}, which the model does not have" if extra else ""
