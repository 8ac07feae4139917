"""Loads a backbone by its name, or the user's own, and tries it on images that mean nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from defenses import BadInput, stream
from defenses.errors import one_line
from defenses.foreign import ZOOS, check_call, import_object
from defenses.randomness import seeded
from victims.transfer.backbones.backbone import Backbone
from victims.transfer.backbones.efficientnet_lite0 import efficientnet_lite0
from victims.transfer.backbones.raw import raw
from victims.transfer.backbones.scatternet import scatternet, scatternet_pooled
from victims.transfer.backbones.zoos import timm_backbone, torchvision_backbone

NAMES: dict[str, Callable[[tuple[int, int, int]], Backbone]] = {
    "efficientnet-lite0": efficientnet_lite0,
    "raw": raw,
    "scatternet": scatternet,
    "scatternet-pooled": scatternet_pooled,
}
ZOO_LOADERS = dict(zip(ZOOS, (torchvision_backbone, timm_backbone), strict=True))
KNOWN = f"{', '.join(NAMES)}, torchvision:NAME, timm:NAME or pkg.module:callable"
SAME = 1e-3
"""By which share of the largest feature an image's features may depend on its company."""


def load_backbone(name: str, image_shape: tuple[int, int, int]) -> Backbone:
    """A frozen backbone for images of shape (C, H, W).

    Args:
        name: of `NAMES`; ``torchvision:NAME`` or ``timm:NAME``; or ``pkg.module:callable``,
            called with (image_shape), which returns a module from images (B, C, H, W) in [0, 1]
            to features (B, ...).
        image_shape: (C, H, W).

    Raises:
        BadInput: unknown name, weights that cannot be had (the message says how to get them),
            images that it cannot take, or features that are not finite or that depend on the
            other images of a batch.
    """
    zoo, _, rest = name.partition(":")
    with seeded(stream(0, "backbone")):  # layers that initialise themselves before they are loaded
        if name in NAMES:
            found = _built(name, NAMES[name], image_shape)
        elif is_own(name):
            found = _load_own(name, image_shape)
        elif zoo in ZOO_LOADERS and rest:
            found = ZOO_LOADERS[zoo](rest, image_shape)
        else:
            raise BadInput(f"unknown backbone {name!r}; known: {KNOWN}")
    found.module.requires_grad_(False).eval()
    _refuse_odd(found, image_shape)
    return found


def is_own(name: str) -> bool:
    """Whether a backbone's name is that of the user's own code."""
    return ":" in name and name.partition(":")[0] not in ZOOS


def _built(
    name: str,
    build: Callable[[tuple[int, int, int]], Backbone],
    image_shape: tuple[int, int, int],
) -> Backbone:
    try:
        return build(image_shape)
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"backbone {name} cannot take these images: {one_line(error)}") from error


def _load_own(name: str, image_shape: tuple[int, int, int]) -> Backbone:
    build = import_object(name, "backbone")
    check_call(build, f"backbone {name!r}", "(image_shape)", image_shape)
    try:
        module = build(image_shape)
    except Exception as error:  # a user's own may raise anything
        raise BadInput(f"backbone {name!r} cannot be built: {one_line(error, 300)}") from error
    if not isinstance(module, nn.Module):
        raise BadInput(f"backbone {name!r} returned {type(module).__name__}, not a torch Module")
    try:
        return Backbone(name, copy.deepcopy(module).cpu().float())
    except Exception as error:
        raise BadInput(f"backbone {name!r} cannot be copied: {one_line(error, 200)}") from error


def _refuse_odd(backbone: Backbone, image_shape: tuple[int, int, int]) -> None:
    """Raise `BadInput` unless features are finite rows, each of one image alone.

    The account of a head is of rows that change with one example each: a network that mixes the
    images of a batch would let one example move the rows of others.
    """
    images = torch.rand(3, *image_shape, generator=stream(0, "backbone", "images"))
    said = f"backbone {backbone.name!r}"
    try:
        together = backbone.features(images)
        alone = torch.cat([backbone.features(images[:1]), backbone.features(images[1:2])])
    except Exception as error:
        shape = "x".join(map(str, image_shape))
        raise BadInput(f"{said} cannot take {shape} images: {one_line(error, 300)}") from error
    if together.ndim != 2 or len(together) != len(images) or not together.shape[1]:
        raise BadInput(f"{said} gives {tuple(together.shape)} for 3 images; it must be (3, d)")
    if not bool(torch.isfinite(together).all()):
        raise BadInput(f"{said} gives features that are NaN or infinite")
    if _differ(together[:2], alone):
        raise BadInput(
            f"{said} gives an image other features in other company: every row must be of one "
            "image alone"
        )


def _differ(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().max()) > SAME * max(float(one.abs().max()), 1e-30)
