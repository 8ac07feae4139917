"""Defenses one after another: ``topk+quantize``, ``dpsgd+topk``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from defenses.bases.compression import Compression
from defenses.bases.summed import Summed
from defenses.contract import FOLLOWED, Defense, Gradients, Release, Side


@dataclass(frozen=True)
class Chain(Defense):
    """The first stage sees the per-example gradients, each later one only what was released.

    Its options are those of all stages; where two have a name in common, the later stage's is
    ``<stage>_<option>``. Facts in ``public`` are the first stage's under their own names and
    every stage's as ``<stage>.<fact>``; ``mask`` is what all masks keep.

    Guarantee: the first stage's. Later ones are functions of its release, of public facts and of
    randomness of their own, so that they are post-processing and cost nothing; so the epsilon is
    infinite where the first stage's is. Known attack: the stages' own, one after the other.
    """

    passes_on: ClassVar[bool] = True
    parts: ClassVar[tuple[tuple[str, type[Defense], tuple[tuple[str, str], ...]], ...]] = ()
    """Label and class of each stage, and its options' names with those that they have here."""

    side: Side = field(default=Side(), metadata={"hidden": True}, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        list(self.stages())  # each checks its own options

    def stages(self) -> Iterator[tuple[str, Defense]]:
        """Label and stage, in order, told what is public."""
        for label, cls, names in self.parts:
            stage = cls(**{own: getattr(self, here) for own, here in names})
            yield label, stage.informed(self.side)

    @property
    def first(self) -> Defense:
        """The stage that sees the batch."""
        return next(self.stages())[1]

    def informed(self, side: Side) -> Self:
        """The same chain, with every stage informed."""
        return dataclasses.replace(self, side=side)

    def at(self, step: int, steps: int) -> Self:
        """The same chain, with every stage at that step for good."""
        fixed = [stage.at(step, steps) for _, stage in self.stages()]
        options: dict[str, Any] = {
            here: getattr(stage, own)
            for stage, (_, _, names) in zip(fixed, self.parts, strict=True)
            for own, here in names
        }
        return dataclasses.replace(self, **options)

    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """See `Defense.release`; later stages are given the update as a batch of one."""
        place = {"step": step, "steps": steps, "generator": generator}
        done = [self.first.release(grads, batch_size=batch_size, **place)]  # type: ignore[arg-type]
        for _, stage in list(self.stages())[1:]:
            alone = {k: v[None] for k, v in done[-1].update.items()}
            done.append(stage.release(alone, batch_size=1, **place))  # type: ignore[arg-type]
        return self.join(done)

    def join(self, done: list[Release]) -> Release:
        """One release of the stages' own; no message need be longer than the one before."""
        facts = self.merge([r.public for r in done])
        return Release(done[-1].update, facts, min(r.wire_bytes for r in done))

    def merge(self, facts: list[Mapping[str, Any]]) -> dict[str, Any]:
        """The stages' public facts as the chain's."""
        found = dict(facts[0])
        for (label, stage), known in zip(self.stages(), facts, strict=True):
            found |= {f"{label}.{k}": v for k, v in known.items()}
            if isinstance(stage, Compression) and known is not facts[0]:
                found["noise_std"] = stage.noise_after(found["noise_std"])
        masks = [known["mask"] for known in facts if "mask" in known]
        if masks:
            found["mask"] = {k: torch.stack([m[k] for m in masks]).all(0) for k in masks[0]}
        if len(masks) > 1:
            found.pop("rate", None)  # of one of them only
        return found

    def release_of(self, label: str, release: Release) -> Release:
        """The chain's release as a stage knows it: with the public facts of its own.

        The fact `FOLLOWED` tells it that a later stage may have changed what it sent.
        """
        start = f"{label}."
        known = {k.removeprefix(start): v for k, v in release.public.items() if k.startswith(start)}
        if label != self.parts[-1][0]:
            known[FOLLOWED] = True
        return dataclasses.replace(release, public=known)

    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """The stages' replays one after the other, each beside the update that left in the end."""
        for label, stage in self.stages():
            update = stage.replay(grads, self.release_of(label, release))
            grads = {k: v[None] for k, v in update.items()}
        return update

    def noise(self, release: Release) -> float:
        """Noise std that all stages add, each as the later ones pass it on."""
        std = 0.0
        for label, stage in self.stages():
            if isinstance(stage, Compression):
                std = stage.noise_after(std)
            std = math.hypot(std, stage.noise(self.release_of(label, release)))
        return std

    def effective_noise(self) -> float:
        """Effective noise of the first stage: what follows is post-processing."""
        return self.first.effective_noise()

    def epsilon(self, *, steps: int, sample_rate: float, delta: float) -> float:
        """Epsilon of the first stage: what follows is post-processing."""
        return self.first.epsilon(steps=steps, sample_rate=sample_rate, delta=delta)

    def public(self, batch_size: int) -> dict[str, Any]:
        """Public facts of all stages; later ones see batches of one."""
        sizes = [batch_size] + [1] * (len(self.parts) - 1)
        stages = zip(self.stages(), sizes, strict=True)
        return self.merge([stage.public(size) for (_, stage), size in stages])


@dataclass(frozen=True)
class SummedChain(Summed, Chain):
    """A `Chain` whose first stage is a `Summed` defense, and so is the whole."""

    replay = Chain.replay

    @classmethod
    def takes_factors(cls) -> bool:
        """Whether the first stage takes factors."""
        first = cls.parts[0][1]
        return issubclass(first, Summed) and first.takes_factors()

    def _summed(self) -> list[tuple[str, Summed]]:
        return [(label, stage) for label, stage in self.stages() if isinstance(stage, Summed)]

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """Every stage's plan as ``<stage>.<fact>``."""
        return {
            f"{label}.{k}": v
            for label, stage in self._summed()
            for k, v in stage.plan(like, step=step, steps=steps, generator=generator).items()
        }

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of what the examples give to the first stage."""
        label, stage = self._summed()[0]
        return stage.contribute(grads, _part_of_stage(label, plan))

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`; an update is the sum over a batch of one."""
        done: list[Release] = []
        for label, stage in self._summed():
            known = _part_of_stage(label, plan)
            done.append(stage.finish(total, known, batch_size=batch_size, generator=generator))
            total, batch_size = done[-1].update, 1
        return self.join(done)


def _part_of_stage(label: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's part of the chain's plan."""
    start = f"{label}."
    return {k.removeprefix(start): v for k, v in plan.items() if k.startswith(start)}
