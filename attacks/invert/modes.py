"""Layers that act otherwise in training than in evaluation, in the model of a captured update."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from defenses import BadInput
from defenses.errors import one_line
from victims.gradients.batch_norm import by_batch


def moody_layers(model: nn.Module) -> dict[str, str]:
    """Name -> kind of the BatchNorm and dropout layers that act in training."""
    return {
        name or "model": type(module).__name__
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        or (isinstance(module, _DropoutNd | nn.AlphaDropout) and module.p > 0)
    }


def mode_warning(model: nn.Module) -> str:
    """One line about a model whose update was perhaps made in training mode; else empty."""
    found = moody_layers(model)
    if not found:
        return ""
    name, kind = next(iter(found.items()))
    others = f" and {len(found) - 1} more" * (len(found) > 1)
    return (
        f"warning: {name!r} is {kind}{others}, which acts otherwise in training: the update is "
        "taken for one made in eval mode; give --train-mode if it was made in training mode, or "
        "--eval-mode if not"
    )


def training_copy(model: nn.Module, image_shape: tuple[int, int, int], images: int) -> nn.Module:
    """A copy whose BatchNorm normalises by the batch that it is given, as in training.

    Dropout stays off: which units were dropped nobody told, and the mean over all ways of
    dropping is the best guess of what is not known.

    Args:
        model: logits from images; left as it is.
        image_shape: (C, H, W).
        images: in each batch that the model was given.

    Raises:
        BadInput: it has neither BatchNorm nor dropout, or cannot normalise by such a batch.
    """
    if not moody_layers(model):
        raise BadInput(
            "the model has neither BatchNorm nor dropout, so that training mode changes nothing: "
            "leave --train-mode out"
        )
    other = by_batch(model)
    try:
        with torch.no_grad():
            like = next(model.parameters())
            other(torch.rand(images, *image_shape, generator=torch.Generator()).to(like))
    except Exception as error:  # a model of the user's own may say anything
        raise BadInput(
            f"in training mode the model takes no batch of {images}: {one_line(error, 200)}"
        ) from error
    return other
