"""Victim architectures by name. The first layer of each normalises images from [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from defenses import BadInput, Defense, preprocessing, stream
from defenses.errors import one_line
from defenses.randomness import child, seeded
from defenses.registry import check_call, import_object
from victims.models import probing, resnets, scatternets, small, wide_resnets
from victims.models.frozen import Featurised

Builder = Callable[[tuple[int, int, int], int], nn.Module]

ARCHITECTURES: dict[str, Builder] = {
    "linear": small.linear,
    "mlp": small.mlp,
    "lenet": small.lenet,
    "lenet5": small.lenet5,
    "dpcnn": small.dpcnn,
    "convnet": resnets.convnet,
    "resnet20-4": resnets.resnet20_4,
    "resnet18": resnets.resnet18,
    "resnet18-gn": resnets.resnet18_groupnorm,
    "wrn-16-4": wide_resnets.wrn_16_4,
    "wrn-40-4": wide_resnets.wrn_40_4,
    "wrn-28-10": wide_resnets.wrn_28_10,
    "scatter-linear": scatternets.scatter_linear,
    "scatter-cnn": scatternets.scatter_cnn,
    "tanh-cnn": scatternets.tanh_cnn,
}

PLAIN = ("lenet", "scatter-linear", "scatter-cnn", "tanh-cnn")
"""Fed with [0, 1] as it is, as in the papers they come from."""


class Normalise(nn.Module):
    """(x - mean) / std per channel, so that everything outside a model stays in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Args: images (B, C, H, W) in [0, 1]. Returns: the same shape, about unit variance."""
        return (images - self.mean) / self.std


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
    """A victim model in eval mode, float32, logits (B, classes) from images (B, C, H, W) in [0, 1].

    Args:
        name: one of `model_names`, or ``pkg.module:callable`` called with (image_shape, classes).
        image_shape: (C, H, W).
        classes: number of labels.
        mean: per channel, subtracted by the first layer; None: 0.5, or 0 for those in `PLAIN`.
        std: per channel, divided by; None: 0.25, or 1 for those in `PLAIN`.
        weights: a safetensors file with the model's state dict, before or after ``fit``; None
            leaves it untrained.
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
    model = _drawn(name, image_shape, classes, mean, std, draw)
    if ":" in name:
        draw.set_state(key)
        probing.refuse_other_weights(
            name, model, _drawn(name, image_shape, classes, mean, std, draw)
        )
    if weights is not None:
        state = _read(Path(weights))
        changed = fit(model)
        if changed is not model and state.keys() == changed.state_dict().keys():
            return _loaded(changed, state, weights)
        model = _loaded(model, state, weights)
    if ":" in name:
        probing.refuse_odd_passes(name, model, image_shape, classes)
    return fit(model)


def _drawn(
    name: str,
    image_shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    generator: torch.Generator,
) -> nn.Module:
    """The model with all its weights, those of lazy layers too; see `load_model`."""
    with seeded(generator):
        try:
            model = _build(name, image_shape, classes, mean, std)
        except BadInput:
            raise
        except Exception as error:  # a user's own may raise anything
            raise BadInput(f"model {name!r} cannot be built: {one_line(error, 300)}") from error
        model.eval()
        try:
            with torch.no_grad():
                logits = model(torch.zeros(1, *image_shape))
        except Exception as error:
            shape = "x".join(map(str, image_shape))
            raise BadInput(
                f"model {name!r} cannot take {shape} images: {one_line(error, 300)}"
            ) from error
    if not isinstance(logits, Tensor) or logits.shape != (1, classes):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise BadInput(f"model {name!r} gives {got} for one image; the labels need (1, {classes})")
    return model


def load_guarded(
    name: str,
    shield: Defense,
    *,
    seed: int,
    layers: str,
    image_shape: tuple[int, int, int],
    classes: int,
    weights: str | Path | None,
) -> nn.Module:
    """`load_model` as it is under a defense, its new weights drawn by ``seed``.

    Raises:
        BadInput: see `load_model`; or ``layers`` is "last", which would freeze what the defense
            changes.
    """
    model = load_model(
        name,
        image_shape=image_shape,
        classes=classes,
        weights=weights,
        generator=stream(seed, "model"),
        fit=lambda plain: preprocessing.equip(shield, plain, stream(seed, "fitted")),
    )
    if layers == "last" and preprocessing.draws(model):
        raise BadInput(
            f"defense {shield.name!r} changes layers in front of the last one, "
            "which --layers last would freeze"
        )
    return model


def model_names() -> list[str]:
    """Names that `load_model` knows, without ``pkg.module:callable``."""
    return sorted(ARCHITECTURES)


def _build(
    name: str,
    image_shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> nn.Module:
    if ":" in name:
        model = _callable(name)(image_shape, classes)
        if not isinstance(model, nn.Module):
            raise BadInput(f"model {name!r} returned {type(model).__name__}, not a torch Module")
        return probing.ready(name, model)
    if name not in ARCHITECTURES:
        known = ", ".join(model_names())
        raise BadInput(f"unknown model {name!r}; known: {known}, or pkg.module:callable")
    plain = name in PLAIN
    channels = image_shape[0]
    mean = mean or [0.0 if plain else 0.5] * channels
    std = std or [1.0 if plain else 0.25] * channels
    first, model = Normalise(mean, std), ARCHITECTURES[name](image_shape, classes)
    if isinstance(model, Featurised):  # stays one, so that a trainer sees what it can precompute
        return Featurised(nn.Sequential(first, model.features), model.head)
    return nn.Sequential(first, model)


def _callable(name: str) -> Callable[[tuple[int, int, int], int], Any]:
    found: Callable[[tuple[int, int, int], int], Any] = import_object(name, "model")
    check_call(found, f"model {name!r}", "(image_shape, classes)", (3, 32, 32), 10)
    return found


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"{path} is not a readable safetensors file: {one_line(error, 300)}"
        ) from error
    return state


def _loaded(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> nn.Module:
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise BadInput(f"{path} holds NaN or infinite values in {name!r}")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise BadInput(f"{path} does not fit the model: {one_line(error, 300)}") from error
    return model
