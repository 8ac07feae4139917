"""Builds a named architecture, or the user's own, with all its weights drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from defenses import BadInput
from defenses.errors import meant, one_line
from defenses.randomness import seeded
from victims.models import own, probing, resnets, scatternets, shared, small, wide_resnets, zoos
from victims.models.frozen import Featurised
from victims.models.normalise import Normalise

Builder = Callable[[tuple[int, int, int], int], nn.Module]

ARCHITECTURES: dict[str, Builder] = {
    "linear": small.linear,
    "mlp": small.mlp,
    "lenet": small.lenet,
    "lenet5": small.lenet5,
    "dpcnn": small.dpcnn,
    "shared-mlp": shared.shared_mlp,
    "shared-cnn": shared.shared_cnn,
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

PLAIN = ("lenet", "shared-mlp", "shared-cnn", "scatter-linear", "scatter-cnn", "tanh-cnn")
"""Fed with [0, 1] as it is, as in the papers they come from."""


def model_names() -> list[str]:
    """Names that `load_model` knows, without ``pkg.module:callable``."""
    return sorted(ARCHITECTURES)


def draw_model(
    name: str,
    image_shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    generator: torch.Generator,
) -> nn.Module:
    """The model with all its weights drawn, those of lazy layers too; see `load_model`."""
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


def _build(
    name: str,
    image_shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> nn.Module:
    zoo, _, rest = name.partition(":")
    if zoo in zoos.LOADERS and rest:
        centre = Normalise(mean or [0.5] * image_shape[0], std or [0.25] * image_shape[0])
        found = zoos.LOADERS[zoo](rest, image_shape, classes)
        return probing.copy_model(name, nn.Sequential(centre, found))
    if ":" in name:
        return probing.copy_model(name, own.build(name, image_shape, classes))
    if name not in ARCHITECTURES:
        known = ", ".join(model_names())
        hint = meant(name, ARCHITECTURES)
        raise BadInput(
            f"unknown model {name!r}; {hint}known: {known}, timm:NAME, torchvision:NAME, hf:NAME "
            "or pkg.module:callable"
        )
    plain = name in PLAIN
    channels = image_shape[0]
    mean = mean or [0.0 if plain else 0.5] * channels
    std = std or [1.0 if plain else 0.25] * channels
    first, model = Normalise(mean, std), ARCHITECTURES[name](image_shape, classes)
    if isinstance(model, Featurised):  # stays one, so that a trainer sees what it can precompute
        return Featurised(nn.Sequential(first, model.features), model.head)
    return nn.Sequential(first, model)
