"""Gradients of candidate images, as the victim would have contributed them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.meter import spend
from defenses import BadInput, preprocessing, stream
from defenses.bases.summed import Summed
from defenses.eager import eager
from defenses.errors import one_line
from defenses.randomness import seeded


def candidate_gradients(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, differentiable: bool
) -> dict[str, Tensor]:
    """Per-example gradients of candidates, name -> (B, *shape), as in `victims`.

    A loop over examples: their gradients are differentiated again with respect to the images,
    where vmap's grouped convolutions are slower on a CPU.
    """
    spend(len(images))
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    with eager(model):
        rows = [
            torch.autograd.grad(
                loss(model(image[None].clone()), label[None]) + preprocessing.take_penalty(model),
                [p for _, p in named],
                create_graph=differentiable,
                allow_unused=True,
                materialize_grads=True,
            )
            for image, label in zip(images, labels, strict=True)
        ]
    columns = zip(*rows, strict=True)
    return {k: torch.stack(column) for (k, _), column in zip(named, columns, strict=True)}


def contributions(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    *,
    differentiable: bool,
) -> dict[str, Tensor]:
    """What candidates hand to the defense: a gradient each, or the one difference of their client.

    Args:
        model: logits from images; left as it is.
        loss: of logits and labels.
        images: (B, C, H, W).
        labels: (B,) int64.
        threat: ``local`` is used.
        differentiable: whether it is to be differentiated by the images.

    Returns:
        name -> (B, *shape); (1, *shape) after local steps, and of a defense that needs no more of
        a batch than the plain sum of its gradients, which is then the one row.
    """
    if threat.local is None:
        if len(images) > 1 and _adds_up(model, threat):
            return _summed_gradient(model, loss, images, labels, differentiable=differentiable)
        return candidate_gradients(model, loss, images, labels, differentiable=differentiable)
    spend(len(images))
    return threat.local.difference(model, loss, images, labels, differentiable=differentiable)


def _adds_up(model: nn.Module, threat: Threat) -> bool:
    """Whether the adversary reckons with a plain sum of gradients, of a model that draws nothing.

    Then one pass of the batch does, in half the time of one for each example.
    """
    defense = threat.defense
    if preprocessing.draws(model) or preprocessing.stages(defense):
        return False
    return not threat.adaptive or (isinstance(defense, Summed) and defense.linear)


def _summed_gradient(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor, *, differentiable: bool
) -> dict[str, Tensor]:
    """The gradient of the sum of the examples' losses, name -> (1, *shape)."""
    spend(len(images))
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    with eager(model):
        total = len(images) * loss(model(images.clone()), labels)
        slopes = torch.autograd.grad(
            total,
            [p for _, p in named],
            create_graph=differentiable,
            allow_unused=True,
            materialize_grads=True,
        )
    return {k: slope[None] for (k, _), slope in zip(named, slopes, strict=True)}


def refuse_single_derivatives(
    model: nn.Module, loss: Loss, image_shape: tuple[int, int, int], name: str
) -> None:
    """Try on one image what every optimisation attack needs: second derivatives in float64.

    Args:
        model: logits from images; left as it is.
        loss: of logits and labels.
        image_shape: (C, H, W).
        name: of the model, for the message.

    Raises:
        BadInput: the model has none, or works in its own precision alone.
    """
    like = next(model.parameters())
    draw = stream(0, "derivatives")
    image = torch.rand(1, *image_shape, generator=draw, dtype=torch.float64).to(like.device)
    label = torch.zeros(1, dtype=torch.int64, device=like.device)
    try:
        working = copy.deepcopy(model).double()
        with seeded(draw):
            image.requires_grad_()
            grads = candidate_gradients(working, loss, image, label, differentiable=True)
            total = torch.stack([g.square().sum() for g in grads.values()]).sum()
            torch.autograd.grad(total, image)
    except Exception as error:  # a model of the user's own may say anything
        said = f"{type(error).__name__}: {one_line(error, 200)}"
        raise BadInput(
            f"model {name!r} cannot be attacked, for its gradient in float64 has no derivative "
            f"by the image: {said}"
        ) from error
