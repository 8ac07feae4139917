"""Per-example gradients of any model, in chunks that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn

from defenses import BadInput
from defenses.outer import Outer
from victims.gradients.any_model import Apart
from victims.gradients.ordinary import ordinary
from victims.gradients.vmapping import Loss, gradients_at

__all__ = ["Loss", "gradient_chunks", "gradients_at", "per_example_gradients"]

TENSOR_BYTES = 24 * 2**20
"""The largest parameter's gradients of one chunk take at most this: past 32 MiB, glibc gives and
takes back the memory of each tensor, and page faults set the pace. One size whether or not
`victims.gradients.memory.keep_memory` keeps glibc from it: sums in other chunks have other last
bits."""

GPU_BYTES = 2 * 2**30
"""A GPU has no such cache to stay in, and idles between small chunks: there the gradients of all
parameters of one chunk take at most this."""


def per_example_gradients(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, chunk: int | None = None
) -> dict[str, Tensor]:
    """The gradient of every example's own loss, before anything averages them.

    Args:
        model: logits from images; no layer may mix examples, so BatchNorm must be in eval mode.
        loss: scalar mean from (logits, labels) of the views of one example.
        images: (B, C, H, W) in [0, 1]; or (B, K, C, H, W), K augmented views of each example,
            whose gradients are averaged (De et al. 2022). Features (B, D) serve as well.
        labels: (B,) int64.
        chunk: examples handled together; None fits the chunk's gradients into the cache.

    Returns:
        name -> (B, *shape) for each parameter that requires a gradient, detached.

    Raises:
        BadInput: a layer that mixes the examples or remembers them, a model that cannot be
            differentiated, or images and labels of different length.
    """
    parts = list(gradient_chunks(model, loss, images, labels, chunk=chunk))
    if not parts:
        return {k: p.new_zeros((0, *p.shape)) for k, p in trainable_parameters(model).items()}
    return {k: torch.cat([part[k] for part in parts]) for k in parts[0]}


@overload
def gradient_chunks(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, chunk: int | None = None
) -> Iterator[dict[str, Tensor]]: ...
@overload
def gradient_chunks(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    labels: Tensor,
    *,
    chunk: int | None = None,
    outer: Sequence[str],
) -> Iterator[dict[str, Tensor | Outer]]: ...
def gradient_chunks(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    labels: Tensor,
    *,
    chunk: int | None = None,
    outer: Sequence[str] = (),
) -> Iterator[Any]:
    """`per_example_gradients` of consecutive examples, a chunk at a time; nothing when B = 0.

    The weights of the linear layers named in ``outer`` (see `victims.gradients.outer_layers`) come
    as `Outer`, which takes a hundredth of the memory; one view per example then.
    """
    if len(images) != len(labels):
        raise BadInput(f"{len(images)} images but {len(labels)} labels")
    refuse_batch_statistics(model)
    weights, fixed = trainable_parameters(model), frozen_parameters(model)
    if not weights:
        raise BadInput("the model has no parameter that requires a gradient")
    views = images if images.ndim == 5 else images[:, None]
    chunk = chunk or chunk_size(weights, views.shape[1], outer)
    apart = None if ordinary(model) else Apart(model, loss, weights, fixed, outer)
    for x, y in zip(views.split(chunk), labels.split(chunk), strict=True):
        if not len(x):
            continue
        if apart is None:
            yield gradients_at(model, loss, weights, fixed, x, y, outer)
        else:
            yield apart.gradients(x, y)
    if apart is not None:
        apart.follow()


def chunk_size(weights: dict[str, Tensor], views: int = 1, outer: Sequence[str] = ()) -> int:
    """How many examples' gradients fit into the cache together, or into a share of a GPU.

    Args:
        weights: tensors of the parameters' sizes, on their device.
        views: the number of views per example.
        outer: see `gradient_chunks`.
    """
    layers = [f"{n}.weight" for n in outer]
    sizes = [sum(p.shape) if k in layers else p.numel() for k, p in weights.items()]
    if any(p.device.type != "cpu" for p in weights.values()):
        return max(1, GPU_BYTES // max(4 * sum(sizes), 1) // max(1, views))
    # Views share their example's gradient, but each has activations of its own.
    return max(1, TENSOR_BYTES // max(4 * max(sizes, default=1), 1) // max(1, views))


def frozen_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that require no gradient, detached, and buffers, by name."""
    still = {k: p.detach() for k, p in model.named_parameters() if not p.requires_grad}
    return still | dict(model.named_buffers())


def trainable_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that require a gradient, detached, by name."""
    return {k: p.detach() for k, p in model.named_parameters() if p.requires_grad}


def refuse_batch_statistics(model: nn.Module) -> None:
    """Raise `BadInput` when BatchNorm would normalise by the batch that it is given."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        if module.training:
            raise BadInput(
                f"{name!r} is BatchNorm in training mode, which mixes examples: "
                "call model.eval() or use GroupNorm"
            )
        if module.running_mean is None:
            raise BadInput(
                f"{name!r} is BatchNorm without running statistics, which mixes examples in "
                "eval mode too: track them or use GroupNorm"
            )


def refuse_batchnorm(net: nn.Module, defense: str) -> None:
    """Raise `BadInput` when a layer would mix the examples of a batch."""
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise BadInput(
                f"the model has BatchNorm ({name!r}), which mixes the examples of a batch, "
                f"so defense {defense!r} cannot bound what one of them does: use GroupNorm "
                "(resnet18-gn, wrn-16-4, or opacus.validators.ModuleValidator.fix on your own)"
            )
