"""Trains a victim under any defense: it samples, sums chunk by chunk, releases and steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from defenses import BadInput, Defense, Gradients, Release, Summed, preprocessing
from defenses.gradients import send
from defenses.precision import full_precision
from defenses.randomness import seeded
from victims.gradients import per_example_gradients
from victims.training.network import Network
from victims.training.plan import Plan
from victims.training.sampling import poisson_batch, shuffled_batch
from victims.training.side import side_at
from victims.training.step import apply_release, optimizer_of, rate_factor
from victims.training.streams import streams_of
from victims.training.views import augment


class Trainer:
    """A victim in training.

    All that changes is in its `victims.training.state.state`; the rest follows from the plan.

    Step t draws its batch, views, dropout and noise from the generators ``draw(purpose, t)``, which
    follow from the seed and from all that the run works on (`victims.training.streams`): a run
    resumed from any state goes the way of the undisturbed one, and no other run has its noise. A
    secure training's come from the operating system, and a resumed run's are others.

    Args:
        plan: see `victims.training.plan`.
        model: moved to ``device``; a `Featurised` model is given features instead of images.
        inputs: (N, C, H, W) private images or features.
        labels: (N,) int64.
        public: (inputs, labels) that everyone knows, for defenses that learn from them.
        device: where the gradients are taken.
        join: the gradients (k, *shape) of k rows that have no input, given their indices
            counted from the end of ``inputs``: how an auditor joins its canaries. The plan counts
            them among its examples.

    Attributes:
        draw: the run's generators.
        network: the part of the model that trains; ``net`` and ``parameters`` are its own.

    Raises:
        BadInput: BatchNorm under a defense that needs per-example gradients, or no public data
            for a defense that wants some.
    """

    def __init__(
        self,
        plan: Plan,
        model: nn.Module,
        inputs: Tensor,
        labels: Tensor,
        public: tuple[Tensor, Tensor] | None = None,
        device: str = "cpu",
        join: Callable[[Tensor], Gradients] | None = None,
    ) -> None:
        self.plan = plan
        self.join = join
        self.model = model.to(device).train()
        self.inputs, self.labels, self.public = inputs, labels, public
        self.device = device
        self.network = Network(plan.training, plan.defense, self.model, inputs, labels, device)
        self.net, self.parameters = self.network.module, self.network.parameters
        if "anchors" in plan.defense.wants and public is None:
            raise BadInput(
                f"defense {plan.training.defense!r} learns from public data: "
                "name some with --public, none of it private"
            )
        held = (inputs, labels, *(public or ()))
        self.draw = streams_of(plan, held, self.model)
        self.start = self.network.weights()
        self.average = {k: p.clone() for k, p in self.start.items()}
        self.optimizer = optimizer_of(plan.training, list(self.parameters.values()))
        self.memory: dict[str, Tensor] = {}
        self.step = 0
        self.wire_bytes = 0

    @full_precision()
    def advance(self) -> Release:
        """One step. Returns what left the victim.

        Raises:
            BadInput: nothing is guaranteed, and no example's gradient is finite; the weights are
                then as they were before.
        """
        images, labels, extra = self.batch()
        with seeded(self.draw("dropout", self.step)):
            draw = self.draw("noise", self.step)
            # With the memory itself: what the defense writes there, it knows at the next step.
            release = self.release(images, labels, draw, extra=extra, memory=self.memory)
        self.follow(release)
        return release

    def batch(self) -> tuple[Tensor, Tensor, Gradients | None]:
        """This step's images or views of them, labels, and gradients that join (see ``join``)."""
        index = self.sample()
        extra = None
        if self.join is not None:
            beyond = index >= len(self.inputs)
            extra = self.join(index[beyond] - len(self.inputs))
            index = index[~beyond]
        return *self.inputs_at(index, self.step), extra

    def inputs_at(self, index: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Rows ``index`` (B,) of the inputs as that step shows them to the model, and labels."""
        views = self.plan.training.views
        device = torch.device(self.device)
        images, labels = (send(v[index], device) for v in (self.inputs, self.labels))
        images = preprocessing.random_views(self.plan.defense, images, self.draw("shown", step))
        if views > 1:
            images = augment(images, views, self.draw("views", step))
        return images, labels

    def follow(self, release: Release) -> None:
        """Move the weights, and their average, along this step's release; the next step follows."""
        t, step = self.plan.training, self.step
        factor = rate_factor(t.schedule, t.warmup, step, self.plan.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = t.lr * factor
        apply_release(self.optimizer, self.parameters, release)
        if t.average:
            # Young averages follow fast (De et al. 2022, Appendix C.3).
            decay = min(t.average, (1 + step) / (10 + step))
            for name, parameter in self.parameters.items():
                self.average[name].lerp_(parameter.detach(), 1 - decay)
        self.step += 1
        self.wire_bytes += release.wire_bytes

    def sample(self) -> Tensor:
        """Indices of the examples in this step's batch."""
        t = self.plan.training
        if t.sampling == "poisson":
            return poisson_batch(
                self.plan.examples, self.plan.sample_rate, self.draw("batch", self.step)
            )
        return shuffled_batch(
            self.plan.examples, t.batch_size, self.step, lambda epoch: self.draw("order", epoch)
        )

    @full_precision()
    def release(
        self,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        size: int | None = None,
        extra: Gradients | None = None,
        memory: dict[str, Tensor] | None = None,
    ) -> Release:
        """What a batch (B, C, H, W), or (B, K, C, H, W), would give away at this step.

        Args:
            images: images, views of them, or features, as the trainer's inputs are.
            labels: (B,) int64.
            generator: draws the noise.
            size: public batch size; None: the training's.
            extra: per-example gradients that join the batch's, name -> (k, *shape).
            memory: see `informed`.
        """
        defense = self.informed(memory)
        size = size or self.plan.training.batch_size
        step, steps = self.step, self.plan.steps
        if not isinstance(defense, Summed):
            grads = per_example_gradients(self.net, cross_entropy, images, labels)
            if extra:
                grads = {k: torch.cat([g, extra[k]]) for k, g in grads.items()}
            return defense.release(
                grads, step=step, steps=steps, batch_size=size, generator=generator
            )
        plan = defense.plan(self.parameters, step=step, steps=steps, generator=generator)
        total = self.network.total(defense, plan, images, labels, extra)
        return defense.finish(total, plan, batch_size=size, generator=generator)

    def informed(self, memory: dict[str, Tensor] | None = None) -> Defense:
        """The defense, informed of what is public at this step and of what it remembers.

        Args:
            memory: what a defense that remembers may write to; None: a copy of what the steps so
                far have left, so that what it writes is lost.
        """
        memory = dict(self.memory) if memory is None else memory
        side = side_at(self.plan, self.network, self.start, self.public, memory)
        return self.plan.defense.informed(side)

    def evaluated_weights(self) -> dict[str, Tensor]:
        """The weights that count: the moving average where there is one."""
        chosen = self.average if self.plan.training.average else dict(self.parameters)
        return {k: v.detach() for k, v in chosen.items()}

    def correct(self, inputs: Tensor, labels: Tensor) -> int:
        """How many of (M, ...) inputs the evaluated weights classify right."""
        return self.network.correct(self.evaluated_weights(), inputs, labels)
