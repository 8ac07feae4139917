"""Tries before anything else whether a user's own model is what the rest relies on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from defenses import BadInput, stream
from defenses.errors import one_line
from defenses.randomness import seeded
from victims.models.foreign import as_foreign, unwrap

SAME = 1e-4
"""The share of the largest logit by which two passes over the same images may differ."""


def copy_model(name: str, model: nn.Module) -> nn.Module:
    """A copy of the model that a builder returned: unwrapped, on the CPU, float32, in eval mode.

    A copy, for a builder may return one object every time, and runs must not train each other's.

    Raises:
        BadInput: it is TorchScript, cannot be copied, or has no parameter that learns.
    """
    try:
        model = as_foreign(unwrap(model))
    except BadInput as error:
        raise BadInput(f"model {name!r} cannot be used: {error}") from error
    try:
        model = copy.deepcopy(model)
    except Exception as error:  # whatever a module keeps may refuse in its own way
        said = one_line(error, 200)
        raise BadInput(f"model {name!r} cannot be copied: {said}") from error
    if not any(p.requires_grad for p in model.parameters()):
        raise BadInput(f"model {name!r} has no parameter that requires a gradient")
    return model.cpu().float().eval()


def refuse_other_weights(name: str, model: nn.Module, again: nn.Module) -> None:
    """Raise `BadInput` when a model built twice from one seed differs, or has weights unset."""
    for place, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise BadInput(f"model {name!r} has a lazy layer that no pass uses: {place!r}")
    one, other = model.state_dict(), again.state_dict()
    if one.keys() != other.keys() or not all(_equal(one[k], other[k]) for k in one):
        raise BadInput(
            f"model {name!r} has other weights each time that it is built from one seed: draw "
            "them from the global generators of torch, numpy or random"
        )


@torch.no_grad()
def refuse_odd_passes(
    name: str, model: nn.Module, image_shape: tuple[int, int, int], classes: int
) -> None:
    """Raise `BadInput` when logits are no function of the weights and of one image each.

    Args:
        name: the model's name, for messages.
        model: the model in eval mode; its buffers are as before afterwards.
        image_shape: (C, H, W).
        classes: the number of logits that there must be.
    """
    images = torch.rand(2, *image_shape, generator=stream(0, "probe"))
    before = {k: v.clone() for k, v in model.named_buffers()}
    try:
        both, again = _logits(model, images, 0), _logits(model, images, 1)
        alone = [_logits(model, image[None], 0) for image in images]
    except Exception as error:
        said = one_line(error, 200)
        raise BadInput(f"model {name!r} cannot take two images: {said}") from error
    for key, value in model.named_buffers():
        value.copy_(before[key])
    if both.shape != (2, classes):
        got = tuple(both.shape)
        raise BadInput(f"model {name!r} gives {got} for two images; the labels need (2, {classes})")
    if not both.is_floating_point():
        raise BadInput(f"model {name!r} gives {both.dtype} where logits are floating point")
    if not torch.isfinite(both).all():
        raise BadInput(f"model {name!r} gives logits that are NaN or infinite")
    if not _near(both, again):
        raise BadInput(
            f"model {name!r} answers the same images otherwise from pass to pass: in eval mode "
            "it must neither draw at random nor change its state"
        )
    if any(a.shape != (1, classes) for a in alone) or not _near(both, torch.cat(alone)):
        raise BadInput(
            f"model {name!r} mixes the images of a batch in eval mode: what one of them does "
            "must not depend on the others (statistics of a batch, as of BatchNorm without "
            "running ones)"
        )


def _logits(model: nn.Module, images: Tensor, time: int) -> Tensor:
    """The model's answer, with the global generators as that time."""
    with seeded(stream(0, "probe", time)):
        answer: Tensor = model(images)
    return answer


def _near(one: Tensor, other: Tensor) -> bool:
    """Whether two passes agree up to `SAME`."""
    return torch.allclose(one, other, rtol=0, atol=SAME * float(one.abs().max()) + 1e-12)


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal, NaN included."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
