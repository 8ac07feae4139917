"""Builds classifiers of timm, torchvision and transformers by name, untrained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from defenses import BadInput
from defenses.errors import meant, one_line


def torchvision_model(name: str, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A classifier of torchvision; it takes three channels.

    Raises:
        BadInput: no classifier of that name.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise BadInput(
            f"torchvision has no classifier {name!r}; {meant(name, known)}among others it has "
            "resnet18, mobilenet_v2, vit_b_16"
        )
    model: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    return model


def timm_model(name: str, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A classifier of timm for so many channels.

    Raises:
        BadInput: timm is not installed, or has no such network.
    """
    try:
        import timm
    except ImportError as error:
        raise BadInput(f"model timm:{name} needs timm: pip install timm") from error
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        raise BadInput(f"timm has no network {name!r}; {meant(name, known)}see timm.list_models()")
    model: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=classes, in_chans=image_shape[0]
    )
    return model


def hf_model(name: str, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """An image classifier of transformers, by its configuration alone: no code and no weights.

    Its image size and channels are set to those of the images.

    Raises:
        BadInput: transformers is not installed, or the configuration cannot be had.
    """
    try:
        import transformers  # type: ignore[import-not-found]
    except ImportError as error:
        told = f"model hf:{name} needs transformers: pip install transformers"
        raise BadInput(told) from error
    try:
        config: Any = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
        config.num_labels = classes
        for field, value in (("image_size", image_shape[1]), ("num_channels", image_shape[0])):
            if hasattr(config, field):
                setattr(config, field, value)
        kind: Any = transformers.AutoModelForImageClassification
        model: nn.Module = kind.from_config(config, trust_remote_code=False)
    except Exception as error:  # the network, another kind of model, another version's
        raise BadInput(f"hf:{name} cannot be had: {one_line(error, 300)}") from error
    return model


LOADERS: dict[str, Callable[[str, tuple[int, int, int], int], nn.Module]] = {
    "torchvision": torchvision_model,
    "timm": timm_model,
    "hf": hf_model,
}
"""The word before the colon -> what builds the classifier that is named after it."""
