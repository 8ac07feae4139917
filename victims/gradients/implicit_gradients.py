"""Per-example gradients for a defense that clips: by what makes them, wherever that can be."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from defenses import preprocessing, stream
from defenses.implicit import Implicit
from defenses.outer import Factored
from victims.gradients.any_model import eval_mode
from victims.gradients.one_pass import one_pass
from victims.gradients.ordinary import ordinary
from victims.gradients.outer_layers import outer_layers
from victims.gradients.per_example import (
    frozen_parameters,
    gradient_chunks,
    trainable_parameters,
)
from victims.gradients.vmapping import Loss, gradients_at

CHUNK_VALUES = {"cpu": 3 * 2**16, "cuda": 3 * 2**20}
"""Values of the inputs of one pass, for activations grow with them: 64 images of 3x32x32, one of
224 pixels. A GPU idles between small passes."""
SAME = 1e-9
"""The share of the whole gradient by which two ways may differ in float64."""


class ImplicitGradients:
    """The gradients of a batch's examples, chunk by chunk, by the fastest way that is right.

    That is one ordinary pass where its gradients are those of single examples, which is tried once
    in float64; else vmap, with linear layers by their factors; and what neither covers one by one.

    Args:
        model: see `victims.per_example_gradients`.
        loss: see `victims.per_example_gradients`.
        inputs: (N, ...) inputs. Which way is taken is tried on made-up ones of their shape: it
            decides last bits, and must not hang on who is in the data.
        labels: (N,) labels.

    Attributes:
        outer: linear layers whose gradients vmap gives by their factors.
        one_pass: whether one ordinary pass serves.
    """

    def __init__(self, model: nn.Module, loss: Loss, inputs: Tensor, labels: Tensor) -> None:
        self.model, self.loss = model, loss
        tried = _made_up(inputs), labels.new_zeros((2, *labels.shape[1:]))
        self.outer = outer_layers(model, loss, *tried)
        self.one_pass = agrees(model, loss, *tried)

    def chunks(self, images: Tensor, labels: Tensor) -> Iterator[Factored]:
        """The gradients of consecutive examples, name -> (k, *shape); nothing when B = 0."""
        done, step = 0, pass_length(images)
        weights, fixed = trainable_parameters(self.model), frozen_parameters(self.model)
        while self.one_pass and done < len(images):
            some = slice(done, done + step)
            found = one_pass(self.model, self.loss, weights, fixed, images[some], labels[some])
            if found is None:
                self.one_pass = False
                break
            yield found
            done += step
        if done < len(images):
            rest = images[done:], labels[done:]
            yield from gradient_chunks(self.model, self.loss, *rest, outer=self.outer)


def _made_up(inputs: Tensor) -> Tensor:
    """(2, ...) values in [0, 1] of the shape and type of the inputs; bare zeros where not real."""
    made = inputs.new_zeros((2, *inputs.shape[1:]))
    if not made.is_floating_point():
        return made
    drawn = torch.rand(made.shape, generator=stream(0, "made-up inputs"))
    return drawn.to(made)


def pass_length(images: Tensor) -> int:
    """How many of some images (B, ...), on their device, take a pass together."""
    values = CHUNK_VALUES["cpu" if images.device.type == "cpu" else "cuda"]
    return max(1, values // max(1, images[:1].numel()))


def agrees(model: nn.Module, loss: Loss, inputs: Tensor, labels: Tensor) -> bool:
    """Whether one ordinary pass gives the gradients that vmap gives, in float64.

    Args:
        model: left as it is: a copy is tried, in which whatever a call leaves behind stays.
        loss: see `victims.per_example_gradients`.
        inputs: (k, ...), k >= 2.
        labels: (k,).
    """
    penalised = preprocessing.penalises(model)
    if not ordinary(model) or penalised or preprocessing.draws(model) or _repeats(model):
        return False
    try:
        model = copy.deepcopy(model)
        with eval_mode(model):  # what is drawn, dropout, is drawn together otherwise than alone
            weights, fixed = (
                {k: v.double() if v.is_floating_point() else v for k, v in part.items()}
                for part in (trainable_parameters(model), frozen_parameters(model))
            )
            images = inputs.double()
            found = one_pass(model, loss, weights, fixed, images, labels)
            if found is None:
                return False
            alone = _formed(gradients_at(model, loss, weights, fixed, images[:, None], labels))
    except Exception:  # what cannot be passed together may say so by almost anything
        return False
    whole = torch.stack([v.norm() for v in alone.values()]).norm()
    apart = torch.stack([(v - alone[k]).norm() for k, v in _formed(found).items()]).norm()
    return bool(apart <= SAME * whole)


def _repeats(model: nn.Module) -> bool:
    """Whether a module stands under two names, and so is called twice."""
    names = [name for name, _ in model.named_modules(remove_duplicate=False)]
    return len(names) != len(list(model.modules()))


def _formed(grads: Factored) -> dict[str, Tensor]:
    return {k: g.dense() if isinstance(g, Implicit) else g for k, g in grads.items()}
