"""What a client that trains before it sends gives away: the difference of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from defenses import BadInput, preprocessing
from defenses.eager import eager
from victims.gradients.logits_at import logits_at
from victims.gradients.ordinary import ordinary
from victims.gradients.per_example import frozen_parameters, trainable_parameters
from victims.gradients.vmapping import Loss

FACTS = ("local_steps", "local_lr", "local_batch")
"""Names of what must be public of a weight difference, in `Release.public` and elsewhere."""
MOMENTUM = "local_momentum"
"""Name of the fact that may go with them."""


@dataclass(frozen=True)
class LocalSteps:
    """The local training of one client between two messages, all of it public.

    SGD (FedAvg's ClientUpdate, McMahan et al. 2017, Algorithm 1), one pass over the client's
    images in their order: each step takes the mean loss of the next ``batch`` images. Momentum is
    PyTorch's: the velocity v starts at 0, becomes momentum v + g, and moves the weights by lr v.

    Attributes:
        steps: local steps, K >= 1.
        lr: learning rate, > 0.
        batch: images in each step, >= 1.
        momentum: of the steps, in [0, 1).
    """

    steps: int
    lr: float
    batch: int
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise BadInput(
                f"local_steps and local_batch must be >= 1, not {self.steps} and {self.batch}"
            )
        if not 0 < self.lr < float("inf"):
            raise BadInput(f"local_lr is {self.lr:g}; it must be > 0 and finite")
        if not 0 <= self.momentum < 1:
            raise BadInput(f"{MOMENTUM} is {self.momentum:g}; it must be in [0, 1)")

    @staticmethod
    def among(facts: Mapping[str, Any]) -> LocalSteps | None:
        """The local steps that facts of these names tell; None where they tell of none.

        Raises:
            BadInput: some of the facts are there and others are missing or None, or one is out of
                its range.
        """
        told = {name: facts.get(name) for name in FACTS}
        missing = [name for name, value in told.items() if value is None]
        momentum = facts.get(MOMENTUM) or 0.0
        if len(missing) == len(FACTS) and not momentum:
            return None
        if missing:
            raise BadInput(
                f"a weight difference says nothing without {missing[0]}: give "
                f"{', '.join(FACTS[:-1])} and {FACTS[-1]} together"
            )
        steps, lr, batch = (facts[name] for name in FACTS)
        return LocalSteps(int(steps), float(lr), int(batch), float(momentum))

    @property
    def images(self) -> int:
        """How many images a client has: ``steps * batch``."""
        return self.steps * self.batch

    def facts(self) -> dict[str, Any]:
        """The public facts, by the names that `among` reads."""
        told: dict[str, Any] = dict(zip(FACTS, (self.steps, self.lr, self.batch), strict=True))
        return told | ({MOMENTUM: self.momentum} if self.momentum else {})

    def difference(
        self,
        model: nn.Module,
        loss: Loss,
        images: Tensor,
        labels: Tensor,
        *,
        differentiable: bool = False,
    ) -> dict[str, Tensor]:
        """The weights before the local steps minus those after them, of one client.

        For one step it is the learning rate times the mean gradient. The moves are added up, not
        the weights, so that no rounding of the weights is in it.

        Args:
            model: logits from images; left as it is.
            loss: scalar mean from (logits, labels).
            images: (steps * batch, C, H, W) in [0, 1], in the order of the steps.
            labels: (steps * batch,) int64.
            differentiable: whether the difference is to be differentiated by the images.

        Returns:
            name -> (1, *shape) of each parameter that requires a gradient: one client is one
            example of whatever defends it.

        Raises:
            BadInput: another number of images, or of labels.
        """
        if not len(images) == len(labels) == self.images:
            raise BadInput(
                f"{len(images)} images and {len(labels)} labels for {self.steps} local steps of "
                f"{self.batch}, which take {self.images}"
            )
        start = {k: p for k, p in model.named_parameters() if p.requires_grad}
        moved = {k: torch.zeros_like(p) for k, p in start.items()}
        speed = dict(moved)
        with eager(model), torch.enable_grad():
            for x, y in zip(images.split(self.batch), labels.split(self.batch), strict=True):
                weights = {k: p - moved[k] for k, p in start.items()}
                if not differentiable:
                    weights = {k: w.detach().requires_grad_() for k, w in weights.items()}
                total = loss(logits_at(model, weights, x.clone()), y)
                slopes = torch.autograd.grad(
                    total + preprocessing.take_penalty(model),
                    list(weights.values()),
                    create_graph=differentiable,
                    allow_unused=True,
                    materialize_grads=True,
                )
                if self.momentum:
                    slopes = tuple(
                        self.momentum * v + s for v, s in zip(speed.values(), slopes, strict=True)
                    )
                    speed = dict(zip(moved, slopes, strict=True))
                moved = {k: moved[k] + self.lr * s for k, s in zip(moved, slopes, strict=True)}
        return {k: m[None] for k, m in moved.items()}

    def differences(
        self, model: nn.Module, loss: Loss, images: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """`difference` of many clients, all of the same number of images.

        Args:
            model: see `difference`.
            loss: see `difference`.
            images: (N, steps * batch, C, H, W), N >= 1.
            labels: (N, steps * batch) int64.

        Returns:
            name -> (N, *shape), detached.
        """
        if not ordinary(model):
            each = [
                self.difference(model, loss, *client) for client in zip(images, labels, strict=True)
            ]
            return {k: torch.cat([one[k] for one in each]) for k in each[0]}
        start, fixed = trainable_parameters(model), frozen_parameters(model)

        def step_loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            logits = logits_at(model, {**weights, **fixed}, x)
            return loss(logits, y) + preprocessing.take_penalty(model)

        slopes = vmap(grad(step_loss), randomness="different")
        moved = {k: p.new_zeros(len(images), *p.shape) for k, p in start.items()}
        speed = dict(moved)
        for x, y in zip(images.split(self.batch, 1), labels.split(self.batch, 1), strict=True):
            here = slopes({k: p - moved[k] for k, p in start.items()}, x, y)
            speed = {k: self.momentum * v + here[k] for k, v in speed.items()}
            moved = {k: m + self.lr * speed[k] for k, m in moved.items()}
        return moved
