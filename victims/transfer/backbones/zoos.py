"""Pretrained networks of torchvision and timm, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from defenses import BadInput
from defenses.errors import one_line
from victims.transfer.backbones.backbone import Backbone, Resized

HOW = (
    "they come from the network once: run it where there is one, or copy the file to "
    "~/.cache/torch/hub/checkpoints"
)
LONGEST = 200


def torchvision_backbone(name: str, image_shape: tuple[int, int, int]) -> Backbone:
    """A classifier of torchvision without its last linear layer, at its default weights.

    Raises:
        BadInput: no classifier of that name, or weights that cannot be had.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise BadInput(
            f"torchvision has no classifier {name!r}; among others it has mobilenet_v2, "
            "resnet18, resnet50, efficientnet_b0, vit_b_16"
        )
    weights = models.get_model_weights(name).DEFAULT
    net = models.get_model(name, weights=None)
    try:
        # Tensors alone, of the hash that torchvision states: nothing in the file is run.
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        net.load_state_dict(state)
    except Exception as error:  # the network, a damaged file, another version's
        told = one_line(error, LONGEST)
        raise BadInput(f"torchvision:{name} has no weights here ({told}); {HOW}") from error
    _drop_last(net)
    shown = weights.transforms()
    size = int(shown.crop_size[0])
    return Backbone(
        f"torchvision:{name}",
        Resized(net, size, tuple(shown.mean), tuple(shown.std)),
        f"bilinear {size}",
        32,
    )


def timm_backbone(name: str, image_shape: tuple[int, int, int]) -> Backbone:
    """A network of timm without its classifier, at its default weights.

    Raises:
        BadInput: timm is not installed, has no such network, or its weights cannot be had.
    """
    try:
        import timm
    except ImportError as error:
        raise BadInput(f"backbone timm:{name} needs timm: pip install timm") from error
    if name.partition(".")[0] not in timm.list_models():
        raise BadInput(f"timm has no network {name!r}: see timm.list_models()")
    try:
        net: Any = timm.create_model(name, pretrained=True, num_classes=0)
        shown = timm.data.resolve_model_data_config(net)
    except Exception as error:  # the network, a damaged file, another version's
        told = one_line(error, LONGEST)
        raise BadInput(f"timm:{name} has no weights here ({told}); {HOW}") from error
    size = int(shown["input_size"][-1])
    module = Resized(net, size, tuple(shown["mean"]), tuple(shown["std"]))
    return Backbone(f"timm:{name}", module, f"bilinear {size}", 32)


def _drop_last(net: nn.Module) -> None:
    """Let the last linear layer of a classifier hand on what it is given."""
    last = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
    place, _, leaf = last.rpartition(".")
    setattr(net.get_submodule(place), leaf, nn.Identity())
