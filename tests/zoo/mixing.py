"""Examples that touch one another's gradients, or that count more than once."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from defenses import Gradients
from tests.zoo.specimen import CLASSES, SHAPE, stacked
from victims.gradients import per_example_gradients
from victims.training.trainer import Trainer


class Standardised(nn.Module):
    """Batch normalisation by another name, which no list of forbidden layers knows."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


def standardised_net(image_shape=SHAPE, classes=CLASSES) -> nn.Module:
    """One hidden layer of 8 whose units are standardised over the batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        enter, leave = nn.Linear(math.prod(image_shape), 8), nn.Linear(8, classes)
        return nn.Sequential(nn.Flatten(), enter, Standardised(), nn.Tanh(), leave)


class Tied(nn.Module):
    """One hidden layer that is used twice."""

    def __init__(self, image_shape=SHAPE, classes=CLASSES) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.enter = nn.Linear(math.prod(image_shape), 8)
            self.hidden, self.leave = nn.Linear(8, 8), nn.Linear(8, classes)

    def forward(self, x: Tensor, again: dict[str, Tensor] | None = None) -> Tensor:
        x = torch.tanh(self.hidden(torch.tanh(self.enter(x.flatten(1)))))
        second = self.hidden(x) if again is None else functional_call(self.hidden, again, (x,))
        return self.leave(torch.tanh(second))


class FromGradients(Trainer):
    """A trainer that takes its per-example gradients in a way of its own."""

    def gradients(self, images: Tensor, labels: Tensor) -> Gradients:
        raise NotImplementedError

    def release(self, images, labels, generator, size=None, extra=None, **known):
        grads = stacked(self.gradients(images, labels), extra)
        return self.informed().release(
            grads,
            step=self.step,
            steps=self.plan.steps,
            batch_size=size or self.plan.training.batch_size,
            generator=generator,
        )

    def nothing(self) -> Gradients:
        return {k: torch.zeros((0, *p.shape)) for k, p in self.parameters.items()}


class BatchNormMixes(FromGradients):
    """Each example's gradient is taken through statistics of the whole batch, then clipped.

    github.com/meta-pytorch/opacus issue 319 ("BatchNorm2D is not compatible with DP"), whose
    validator refuses the layer by name. One example changes everybody's clipped gradient.
    """

    def gradients(self, images, labels):
        if not len(images):
            return self.nothing()
        losses = cross_entropy(self.net(images), labels, reduction="none")
        names, weights = list(self.parameters), list(self.parameters.values())
        rows = [torch.autograd.grad(one, weights, retain_graph=True) for one in losses]
        return {k: torch.stack([r[i] for r in rows]) for i, k in enumerate(names)}


class ViewsApart(FromGradients):
    """Augmented views of an example are clipped one by one and summed.

    github.com/meta-pytorch/opacus issue 461: with the network evaluated N times in the loss,
    "DP-SGD seems to sum all N gradients". De et al. 2022 (arXiv 2204.13650, Section 3.2) average
    the views' gradients first. An example of K views moves the sum by K times C.
    """

    def gradients(self, images, labels):
        flat, views = images.flatten(0, 1), images.shape[1]
        again = labels.repeat_interleave(views)
        return per_example_gradients(self.net, cross_entropy, flat, again)


class TiedTwice(FromGradients):
    """The two uses of a tied weight count as two examples, each clipped by itself.

    github.com/meta-pytorch/opacus issue 413, fixed by pull request 417: "it treats the second set
    of grad_samples as a new batch and accumulates them by stacking, which is obviously wrong".
    """

    def gradients(self, images, labels):
        if not len(images):
            return self.nothing()
        weights = {k: p.detach() for k, p in self.parameters.items()}
        again = {k: weights[f"hidden.{k}"] for k in ("weight", "bias")}

        def loss(weights, again, image, label):
            logits = functional_call(self.net, weights, (image[None], again))
            return cross_entropy(logits, label[None])

        slopes = vmap(grad(loss, argnums=(0, 1)), in_dims=(None, None, 0, 0))
        first, second = slopes(weights, again, images, labels)
        other = {k: torch.zeros_like(g) for k, g in first.items()}
        other |= {f"hidden.{k}": g for k, g in second.items()}
        return {k: torch.cat([g, other[k]]) for k, g in first.items()}
