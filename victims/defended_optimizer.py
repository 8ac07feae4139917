"""The optimizer that `victims.optimizer.defend` makes: Opacus' steps, a defense's releases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from opacus.optimizers import DPOptimizer
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed
from torch import Tensor, nn

from defenses import BadInput, Defense, Release, Summed, stream
from victims.training.step import apply_release
from victims.training.streams import content_of


class DefendedOptimizer(DPOptimizer):  # type: ignore[misc]  # Opacus is untyped here
    """See `victims.optimizer.defend`.

    ``release`` is what the last step let out; ``steps_done`` counts steps.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        defense: Defense,
        *,
        steps: int,
        expected_batch_size: int,
        loss_reduction: str = "mean",
        seed: int,
        memory: dict[str, Tensor],
    ) -> None:
        super().__init__(
            optimizer,
            noise_multiplier=defense.effective_noise(),
            max_grad_norm=getattr(defense, "clip", float("inf")),
            expected_batch_size=expected_batch_size,
            loss_reduction=loss_reduction,
            generator=stream(seed, "plan", 0),
        )
        self._seed = seed
        self._told = self.noise_multiplier, self.max_grad_norm
        names = {id(p): n.removeprefix("_module.") for n, p in model.named_parameters()}
        if any(id(p) not in names for p in self.params):
            raise BadInput("the optimiser holds parameters that are not the model's")
        self.named: dict[str, Any] = {names[id(p)]: p for p in self.params}
        self.defense = defense
        self.memory = memory
        self.steps = steps
        self.steps_done = 0
        self.release: Release | None = None
        self._factor = 1
        self._plan: dict[str, Any] | None = None
        self._total: dict[str, Tensor] = {}

    def clip_and_accumulate(self) -> None:
        """Add a physical batch's contribution to the logical batch's."""
        grads = {}
        for name, parameter in self.named.items():
            _check_processed_flag(parameter.grad_sample)
            grads[name] = self._get_flat_grad_sample(parameter).detach().to(parameter.dtype)
            _mark_as_processed(parameter.grad_sample)
        if isinstance(self.defense, Summed):
            if self._plan is None:
                self._plan = self.defense.plan(
                    self.named, step=self._step(), steps=self.steps, generator=self.generator
                )
            parts = self.defense.contribute(grads, self._plan)
            merge: Callable[[Tensor, Tensor], Tensor] = torch.add
        else:  # a release of the user's own needs the whole batch
            parts, merge = grads, lambda a, b: torch.cat([a, b])
        known = self._total
        self._total = {k: merge(known[k], v) if k in known else v for k, v in parts.items()}

    def add_noise(self) -> None:
        """Make the logical batch's release, divided by the expected batch size.

        Raises:
            BadInput: noise or norm are no longer those of the defense (by one of Opacus'
                schedulers, say), so that the engine would account for noise that is not there.
        """
        if (self.noise_multiplier, self.max_grad_norm) != self._told:
            raise BadInput(
                "noise_multiplier or max_grad_norm was changed after defend(), whose defense keeps "
                "its own: leave out Opacus' schedulers"
            )
        size = self.expected_batch_size * self.accumulated_iterations
        given = content_of(self._total, self.memory)  # noise that meets other data is other noise
        noise = stream(self._seed, "noise", self.steps_done, size, given)
        total, plan = self._total, self._plan or {}
        # Forgotten first: a batch that is refused must not be added to the next one.
        self._plan, self._total = None, {}
        if isinstance(self.defense, Summed):
            release = self.defense.finish(total, plan, batch_size=size, generator=noise)
        else:
            release = self.defense.release(
                total,
                step=self._step(),
                steps=self.steps,
                batch_size=size,
                generator=noise,
            )
        self.release = release
        self._factor = size if self.loss_reduction == "sum" else 1

    def scale_grad(self) -> None:
        """Nothing: a release is divided already."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """See ``DPOptimizer.step``; coordinates that a public mask dropped do not move."""
        if closure is not None:
            with torch.enable_grad():
                closure()
        if self.pre_step() and self.release is not None:
            # With summed losses Opacus' step is the batch size longer; the release is divided.
            update = {k: v * self._factor for k, v in self.release.update.items()}
            step = dataclasses.replace(self.release, update=update)
            apply_release(self.original_optimizer, self.named, step)
            self.steps_done += 1
            self.generator = stream(self._seed, "plan", self.steps_done)
        return None

    def _step(self) -> int:
        # Opacus samples a random number of batches; a schedule stays at its end.
        return min(self.steps_done, self.steps - 1)

    def state_dict(self) -> dict[str, Any]:
        """The wrapped optimiser's, with the step and the memory; nothing that tells the noise."""
        ours = {
            "steps_done": self.steps_done,
            "memory": {k: v.clone() for k, v in self.memory.items()},
        }
        return {**self.original_optimizer.state_dict(), "leakgauge": ours}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from `state_dict`; without a seed noise is fresh from the operating system."""
        rest = {k: v for k, v in state_dict.items() if k != "leakgauge"}
        self.original_optimizer.load_state_dict(rest)
        ours = state_dict["leakgauge"]
        self.steps_done = ours["steps_done"]
        self.generator = stream(self._seed, "plan", self.steps_done)
        self.memory.clear()  # the defense holds this very dictionary
        self.memory.update({k: v.clone() for k, v in ours.get("memory", {}).items()})
