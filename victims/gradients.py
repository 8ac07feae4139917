"""Per-example gradients by vmap(grad), in chunks that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from defenses import BadInput, front
from defenses.outer import Outer
from victims.convolution import WideConvolutions
from victims.memory import kept
from victims.taps import tapped

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, C), labels (B,)) -> scalar mean over the batch, e.g. cross_entropy."""

TENSOR_BYTES = 24 * 2**20
"""The largest parameter's gradients of one chunk take at most this: past 32 MiB, glibc gives and
takes back the memory of each tensor, and page faults set the pace."""
KEPT_TENSOR_BYTES = 64 * 2**20
"""The same where `victims.memory.keep_memory` keeps glibc from it."""


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
        BadInput: BatchNorm in training mode, or images and labels of different length.
    """
    parts = list(gradient_chunks(model, loss, images, labels, chunk=chunk))
    if not parts:
        return {k: p.new_zeros((0, *p.shape)) for k, p in trainable(model).items()}
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

    The weights of the linear layers named in ``outer`` (see `victims.taps.factorable`) come as
    `Outer`, which takes a hundredth of the memory; one view per example then.
    """
    if len(images) != len(labels):
        raise BadInput(f"{len(images)} images but {len(labels)} labels")
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            raise BadInput(
                f"{name!r} is BatchNorm in training mode, which mixes examples: "
                "call model.eval() or use GroupNorm"
            )
    weights, fixed = trainable(model), untrained(model)
    views = images if images.ndim == 5 else images[:, None]
    chunk = chunk or chunk_size(weights, views.shape[1], outer)
    for x, y in zip(views.split(chunk), labels.split(chunk), strict=True):
        if len(x):
            yield gradients_at(model, loss, weights, fixed, x, y, outer)


def gradients_at(
    model: nn.Module,
    loss: Loss,
    weights: dict[str, Tensor],
    fixed: dict[str, Tensor],
    views: Tensor,
    labels: Tensor,
    outer: Sequence[str] = (),
) -> dict[str, Tensor | Outer]:
    """Per-example gradients at weights that are handed over, so that a vmap over models may be.

    Args:
        model: whose forward pass it is.
        loss: see `per_example_gradients`.
        weights: what is differentiated, as `trainable` names it.
        fixed: the rest, as `untrained` names it.
        views: (B, K, ...), K views of each example; B >= 1.
        labels: (B,).
        outer: see `gradient_chunks`.
    """
    layers = [f"{n}.weight" for n in outer]
    still = fixed | {k: weights[k] for k in layers}
    free = {k: p for k, p in weights.items() if k not in layers}
    extra = {n: weights[f"{n}.weight"].new_zeros(len(weights[f"{n}.weight"])) for n in outer}

    def example_loss(
        free: dict[str, Tensor], extra: dict[str, Tensor], views: Tensor, label: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        with WideConvolutions(), tapped(model, outer, extra) as inputs:
            logits = functional_call(model, {**free, **still}, (views,))
        return loss(logits, label.expand(len(views))) + front.penalty(model), inputs

    slopes = grad(example_loss, argnums=(0, 1), has_aux=True)
    per_example = vmap(slopes, in_dims=(None, None, 0, 0), randomness="different")
    (found, slope), inputs = per_example(free, extra, views, labels)
    found |= {f"{n}.weight": Outer(slope[n], inputs[n]) for n in outer}
    return {k: found[k] for k in weights}


def chunk_size(weights: dict[str, Tensor], views: int = 1, outer: Sequence[str] = ()) -> int:
    """How many examples' gradients fit into the cache together.

    Args:
        weights: tensors of the parameters' sizes.
        views: per example.
        outer: see `gradient_chunks`.
    """
    layers = [f"{n}.weight" for n in outer]
    sizes = [sum(p.shape) if k in layers else p.numel() for k, p in weights.items()]
    limit = KEPT_TENSOR_BYTES if kept() else TENSOR_BYTES
    # Views share their example's gradient, but each has activations of its own.
    return max(1, limit // max(4 * max(sizes, default=1), 1) // max(1, views))


def untrained(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that require no gradient, detached, and buffers, by name."""
    still = {k: p.detach() for k, p in model.named_parameters() if not p.requires_grad}
    return still | dict(model.named_buffers())


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that require a gradient, detached, by name."""
    return {k: p.detach() for k, p in model.named_parameters() if p.requires_grad}


def refuse_batchnorm(net: nn.Module, defense: str) -> None:
    """Raise `BadInput` when a layer would mix the examples of a batch."""
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise BadInput(
                f"the model has BatchNorm ({name!r}), which mixes the examples of a batch, "
                f"so defense {defense!r} cannot bound what one of them does: use GroupNorm "
                "(resnet18-gn, wrn-16-4, or opacus.validators.ModuleValidator.fix on your own)"
            )
