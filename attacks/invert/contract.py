"""What a gradient inversion is given, and what it gives back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from attacks.invert.matching.clock import Clock
from defenses import BadInput, Defense, Release, stream
from defenses.options import check_options
from defenses.precision import full_precision
from defenses.registry import Registry
from victims.gradients import LocalSteps

HONEST, MALICIOUS = "honest", "malicious"
"""A server that runs the protocol and looks at what it gets, and one that sends another model."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, C), labels (B,)) -> scalar mean over the batch."""


@dataclass(frozen=True)
class Threat:
    """What the adversary has beyond the release, the model and the loss.

    Attributes:
        defense: the defense in use; an adaptive adversary replays it.
        adaptive: False for the naive column, which pretends that the update is a mean gradient.
        image_shape: (C, H, W).
        classes: number of labels.
        batch_size: examples in the private batch, B.
        auxiliary_images: (N, C, H, W) in [0, 1], the adversary's own, none of them the victim's.
        auxiliary_labels: (N,) int64.
        statistics: whether the client sends the statistics of its batch normalisation too, see
            `defenses.Release.statistics`; it goes with ``local``.
        learning_images: (M, C, H, W) in [0, 1], images of its own beside the auxiliary ones, for
            attacks that learn from many; None: it has no more.
        evaluations: gradients per image that an attack's optimisers may spend, as `meter.spend`
            counts them; one of a whole batch at once is one of each image. None: as many as the
            attack's own options say.
        seconds: a guard on top of that, per image: what it cuts short depends on the machine.
            Infinite by default.
        labels: (B,) when the adversary knows them, else None; of local steps in their order.
        local: the local steps, when the release is a weight difference; None: it is a gradient.
    """

    defense: Defense
    adaptive: bool
    image_shape: tuple[int, int, int]
    classes: int
    batch_size: int
    auxiliary_images: Tensor
    auxiliary_labels: Tensor
    seconds: float = math.inf
    labels: Tensor | None = None
    evaluations: int | None = None
    local: LocalSteps | None = None
    statistics: bool = False
    learning_images: Tensor | None = None

    @property
    def learning(self) -> Tensor:
        """All images of its own, (N + M, C, H, W)."""
        if self.learning_images is None:
            return self.auxiliary_images
        return torch.cat([self.auxiliary_images, self.learning_images])

    def clock(self) -> Clock:
        """The guard over the whole batch, from now on."""
        return Clock.of(self.seconds * self.batch_size) if math.isfinite(self.seconds) else Clock()

    def allowed(self, iterations: int) -> int:
        """So many iterations, or the evaluations that are allowed when these are fewer."""
        return iterations if self.evaluations is None else min(iterations, self.evaluations)


@dataclass(frozen=True)
class Guess:
    """The adversary's reconstruction, chosen without the truth.

    Attributes:
        images: (B, C, H, W) float32 on the CPU, in [0, 1].
        labels: (B,) int64.
        energy: the adversary's own score of the guess, lower is better; comparable between
            the attacks on one release (`attacks.invert.matching.objective.energy`).
        attack: name of the attack that made it.
        iterations: gradients per image that optimisers spent, for discarded guesses too: no more
            than `Threat.evaluations`. 1 for a closed form.
        stopped: ``solved``, ``iterations``, or ``time`` when the clock cut it short, in which
            case a rerun need not give the same pixels.
        note: what ended an exact inversion above the image: the layer, and why, in one line; empty
            where nothing did, and of attacks that are none.
    """

    images: Tensor
    labels: Tensor
    energy: float
    attack: str
    iterations: int
    stopped: str
    note: str = ""


@dataclass(frozen=True)
class Inversion(ABC):
    """Reconstructs the private batch from a release; a frozen dataclass whose fields are flags."""

    name: ClassVar[str] = ""
    threat: ClassVar[str] = HONEST
    """The server that it needs: `HONEST` or `MALICIOUS`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A replay that is a thousandth off matches no release to more than that.
        for name in ("reconstruct", "tuned"):
            if name in vars(cls):
                setattr(cls, name, full_precision()(vars(cls)[name]))

    def __post_init__(self) -> None:
        check_options(self)

    def __call__(
        self, model: nn.Module, loss: Loss, release: Release, threat: Threat, *, seed: int = 0
    ) -> Guess:
        """`reconstruct`, with all that is random drawn by a seed, and without practice.

        Args:
            model: logits (B, classes) from images (B, C, H, W), in eval mode.
            loss: of logits and labels, mean over the batch.
            release: what left the victim.
            threat: what the adversary knows beside it.
            seed: of what the attack draws.

        Raises:
            BadInput: the attack does not apply; see `refusal`.
        """
        if reason := self.refusal(model, threat):
            raise BadInput(f"attack {self.name!r} does not apply: {reason}")
        draw = stream(seed, "attack", self.name)
        return self.reconstruct(model, loss, release, threat, generator=draw)

    @abstractmethod
    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """The best guess within ``threat.evaluations`` and ``threat.seconds`` per image.

        Raises:
            BadInput: when the attack does not apply; see `refusal`.
        """

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Why this attack cannot be run here, in one line; empty when it can."""
        return ""

    def send(self, model: nn.Module, images: Tensor) -> nn.Module:
        """The model that clients are sent: as it is, unless the server cheats.

        Args:
            model: logits from images.
            images: (N, C, H, W) in [0, 1], the server's own.
        """
        return model

    def learns_from(self) -> int:
        """How many images of its own it learns from, beside the auxiliary ones."""
        return 0

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Inversion:
        """This attack with its weights chosen on the adversary's own images, once per defense.

        It ends within ``threat.seconds`` times ``threat.batch_size``.
        """
        return self


registry: Registry[Inversion] = Registry("attack", "leakgauge.attacks")


def require(reason: str, name: str) -> None:
    """Raise `BadInput` when an attack refuses."""
    if reason:
        raise BadInput(f"attack {name!r} does not apply: {reason}")
