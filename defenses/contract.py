"""What a defense is, and what it lets out."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from defenses.checks import guard
from defenses.doors import refuse_two_guarantees
from defenses.options import check_options
from defenses.privacy.accounting import gaussian_epsilon
from defenses.registry import Registry

Gradients = Mapping[str, Tensor]
"""Per-example gradients: parameter name -> tensor (B, *shape of the parameter)."""

FOLLOWED = "followed"
"""Name of the public fact that another defense worked on an update after this one."""
WIRE_BYTES_PER_VALUE = 4
"""Updates travel as float32."""


@dataclass(frozen=True)
class Release:
    """What crosses the wire, and all that a passive adversary sees of the private batch.

    Attributes:
        update: parameter name -> tensor of the parameter's shape.
        public: what the adversary may know besides. Always ``batch_size`` (int) and
            ``noise_std`` (float, per coordinate of ``update``; 0 without noise); masks as
            ``mask`` (name -> bool tensor, True where the coordinate was kept). Nothing in
            it may depend on the private batch.
        wire_bytes: size of the message, float32 values.
        statistics: what a client sends beside the update, bare of any defense: by which means and
            variances its batch normalisation went, as
            `victims.gradients.batch_norm.statistics_of` gives them; empty where it sends none.
    """

    update: dict[str, Tensor]
    public: dict[str, Any] = field(default_factory=dict)
    wire_bytes: int = 0
    statistics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """Side information: what everyone knows before a step of a training run, besides the defense.

    Attributes:
        sample_rate: probability with which each example is in a batch; an epoch is 1 / it steps.
        mask_seed: shared seed of random masks, public, so that no index needs to travel. None
            draws masks from the release's own generator.
        moved: parameter name -> weights now minus weights at the start, for defenses that follow
            the course of the training.
        anchors: per-example gradients of *public* examples at the weights as they are now,
            name -> (M, *shape), for defenses that learn a subspace from them.
        memory: what a defense carries from one step of a run to the next, by names of its own.
            Like a generator it is handed in and moves on with every release; None for a single
            release. It is the victim's: see the defense for what of it is public.
    """

    sample_rate: float = 1.0
    mask_seed: int | None = None
    moved: Mapping[str, Tensor] | None = None
    anchors: Gradients | None = None
    memory: dict[str, Tensor] | None = None


@dataclass(frozen=True)
class Defense(ABC):
    """Turns per-example gradients into a `Release`; a frozen dataclass whose fields are flags.

    Write one as ``@defenses.register("mine") @dataclass(frozen=True) class Mine(Defense)``
    with `release` and `replay`, and `epsilon` where a guarantee is proven.
    """

    name: ClassVar[str] = ""
    wants: ClassVar[frozenset[str]] = frozenset()
    """Fields of `Side` that cost time to prepare and that this defense uses."""

    passes_on: ClassVar[bool] = False
    """Whether ``epsilon`` and `effective_noise` are both those of another defense, as a chain's."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        guard(cls, Defense)
        # What a base wants it goes on wanting, whatever a subclass, or a base before it, says.
        cls.wants = frozenset().union(*(vars(c).get("wants", ()) for c in cls.__mro__))
        if not cls.passes_on:
            refuse_two_guarantees(cls, Defense)

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def release(
        self,
        grads: Gradients,
        *,
        step: int = 0,
        steps: int = 1,
        batch_size: int | None = None,
        generator: torch.Generator,
    ) -> Release:
        """The update that leaves the victim.

        What an author writes under this name is called with gradients that have passed the checks
        of `defenses.checks`, without the examples of which some value is not finite
        (`defenses.finite`), and with ``batch_size`` as a number.

        Args:
            grads: per-example gradients, name -> (B, *shape); B may be 0 under Poisson sampling.
            step: which step of the run this is, from 0.
            steps: how many steps the run has.
            batch_size: the public divisor, i.e. the *expected* batch size; None takes B.
            generator: CPU generator; the same state gives the same release.

        Raises:
            BadInput: no tensors, tensors that disagree on B, or a divisor below 1.
        """

    @abstractmethod
    def replay(self, grads: Gradients, release: Release) -> dict[str, Tensor]:
        """What the release would be, noise apart, had the batch produced ``grads``.

        The differentiable part of `release` that an adaptive adversary applies to the
        per-example gradients of its own candidates. It sees nothing but the release.

        Returns:
            name -> tensor of the parameter's shape, comparable to ``release.update``.
        """

    def noise(self, release: Release) -> float:
        """By how much (std per coordinate) `replay` of the true gradients misses the release.

        The stated noise; a defense that rounds adds what can be read off the release, which
        `public` must not say, for it depends on the batch.
        """
        return float(release.public.get("noise_std", 0.0))

    def effective_noise(self) -> float:
        """Noise std over L2 sensitivity of one release, as a Gaussian mechanism; 0: none proven.

        Accountants need no more than this, the sample rate and the number of steps.
        """
        return 0.0

    def epsilon(self, *, steps: int, sample_rate: float, delta: float) -> float:
        """Epsilon of the (epsilon, delta)-DP guarantee, add/remove adjacency, Poisson sampling.

        RDP accounting (Mironov et al. 2019) of `effective_noise` by Opacus; ``math.inf`` unless
        a subclass proves better: nothing is claimed by default.
        """
        return gaussian_epsilon(
            self.effective_noise(), steps=steps, sample_rate=sample_rate, delta=delta
        )

    def informed(self, side: Side) -> Self:
        """The same defense, told what is public at this step; most have no use for it."""
        return self

    def at(self, step: int, steps: int) -> Self:
        """The same defense without its schedule: what a release at that step of a run meets."""
        return self

    def public(self, batch_size: int) -> dict[str, Any]:
        """What the adversary knows of this defense before it sees an update."""
        return {"batch_size": batch_size, "noise_std": 0.0}


def with_effective_noise(defense: Defense, noise: float) -> Defense | None:
    """The same defense with the noise multiplier that makes its `effective_noise` ``noise``.

    None for a defense whose noise guarantees nothing, or that has none to set.
    """
    if not hasattr(defense, "noise_multiplier"):
        return None
    one: dict[str, Any] = {"noise_multiplier": 1.0}
    unit = dataclasses.replace(defense, **one).effective_noise()
    if unit == 0:
        return None
    scaled: dict[str, Any] = {"noise_multiplier": noise / unit}
    return dataclasses.replace(defense, **scaled)


def dense(update: dict[str, Tensor], public: dict[str, Any]) -> Release:
    """A release that sends every coordinate of the update."""
    values = sum(v.numel() for v in update.values())
    return Release(update, public, WIRE_BYTES_PER_VALUE * values)


registry: Registry[Defense] = Registry("defense", "leakgauge.defenses")
