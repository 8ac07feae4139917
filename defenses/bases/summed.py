"""Defenses that see a batch only through a sum over its examples, as nearly all do.

Splitting a release into a plan (before the data), a sum (over examples, in any number of
chunks) and a finish (noise, selection) lets a trainer hold one chunk of per-example gradients
at a time, and gives the adversary's replay for free.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.contract import Defense, Gradients, Release, dense
from defenses.doors import owner_of, refuse_release, refuse_sum_of_others
from defenses.errors import BadInput
from defenses.gradients import add_noise


@dataclass(frozen=True)
class Summed(Defense):
    """A `Defense` by its parts: `plan`, `contribute` and, where noise is not all, `finish`.

    ``linear`` says that `contribute` is the plain sum of the gradients, so that a trainer may
    take it from one ordinary backward pass. ``factored`` says that `contribute` also takes
    `Outer` in place of a tensor, as `defenses.gradients` does. ``skips_unfinite`` says that
    `contribute` itself leaves out every example of which some value is not finite, as
    `defenses.gradients.clipped_sum` does, so that nobody has to look for them before.
    """

    linear: ClassVar[bool] = False
    factored: ClassVar[bool] = False
    skips_unfinite: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        refuse_release(cls, Summed)
        refuse_sum_of_others(cls)

    @classmethod
    def takes_factors(cls) -> bool:
        """Whether `contribute` takes `Outer` gradients too: ``factored``, said where it is."""
        return bool(vars(owner_of(cls, "contribute")).get("factored", False))

    @classmethod
    def takes_unfinite(cls) -> bool:
        """Whether `contribute` takes unfinite gradients: ``skips_unfinite``, said where it is."""
        return bool(vars(owner_of(cls, "contribute")).get("skips_unfinite", False))

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """What is fixed before the batch is seen; it becomes part of the release's public facts.

        Args:
            like: tensors of the parameters' names, shapes, type and device; values unused.
            step: which step of the run, from 0.
            steps: how many steps the run has.
            generator: see `Defense.release`.
        """
        return {}

    @abstractmethod
    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """Sum over the examples of what each one gives, differentiable; zeros for B = 0.

        What an author writes under this name is called without the examples of which some value is
        not finite (`defenses.finite`), but for candidates that an adversary differentiates and
        where the class says ``skips_unfinite``.
        """

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """The release of a whole batch's contributions: divided, noised, dense.

        Args:
            total: sum of what `contribute` gave, in any number of chunks; finite.
            plan: what `plan` gave.
            batch_size: the public divisor.
            generator: see `Defense.release`.

        Raises:
            BadInput: the sum is not finite, though every example's gradient was; the divisor is
                below 1; or `effective_noise` promises noise of which `public` says nothing.
        """
        public = self.public(batch_size) | dict(plan)
        if not public["noise_std"] and self.effective_noise() > 0:
            # All the noise there is comes from here: without it accountants would be lied to.
            raise BadInput(
                f"{type(self).__name__}.effective_noise() is {self.effective_noise():g} but its "
                "public() has no noise_std above 0, so that no noise would be added"
            )
        update = average(total, batch_size)
        return dense(add_noise(update, public["noise_std"], generator), public)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`."""
        assert batch_size is not None  # the checks give it
        like = {k: g.new_empty(g.shape[1:]) for k, g in grads.items()}
        plan = self.plan(like, step=step, steps=steps, generator=generator)
        total = self.contribute(grads, plan)
        return self.finish(total, plan, batch_size=batch_size, generator=generator)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The candidates' contributions under the public plan, divided like the release."""
        total = self.contribute(grads, release.public)
        return {k: v / release.public["batch_size"] for k, v in total.items()}


@dataclass(frozen=True)
class Linear(Summed):
    """A `Summed` defense that needs no more of a batch than the plain sum of its gradients.

    ``apart`` says that what it releases of one layer does not depend on the others.
    """

    linear: ClassVar[bool] = True
    apart: ClassVar[bool] = True

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the gradients over the examples."""
        return {k: g.sum(0) for k, g in grads.items()}


def average(total: Mapping[str, Tensor], batch_size: int) -> dict[str, Tensor]:
    """A sum over the examples divided by the public batch size."""
    return dict(zip(total, torch._foreach_div(list(total.values()), batch_size), strict=True))
