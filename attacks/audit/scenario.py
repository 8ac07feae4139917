"""An audit Scenario: whose guarantee is attacked, and with which canaries."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import defenses
from attacks.audit.contract import registry
from attacks.audit.game.canaries import KINDS
from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.training import Training

BLACK_BOX = "mislabelled"
CANARIES = (*KINDS, BLACK_BOX)


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides what an audit finds, and nothing that does not.

    Attributes:
        training: the audited training; its ``count`` is how many examples it has besides canaries.
        canaries: the number of canaries in each run; about half of them are inserted.
        canary: ``dirac`` or ``random`` gradients seen in every release (white-box), or
            ``mislabelled`` examples seen through the trained model alone (black-box).
        length: the norm of a gradient canary, in clipping norms.
        runs: independent trainings whose canaries are taken together.
        methods: auditors; several share the probability of a false alarm. None named: those that
            are valid for what the defense claims, see `usual_auditors`.
        confidence: the confidence of the verdict, in (0, 1).
        claim: the epsilon that is audited; None: the accountant's.
        seed: the seed of everything random.
    """

    training: Training = field(default_factory=Training)
    canaries: int = 1000
    canary: str = "dirac"
    length: float = 10.0
    runs: int = 1
    methods: tuple[str, ...] = ()
    confidence: float = 0.95
    claim: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.canary not in CANARIES:
            raise BadInput(f"unknown canary {self.canary!r}; known: {', '.join(CANARIES)}")
        for name in ("canaries", "runs"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be >= 1")
        if not (self.length > 0 and math.isfinite(self.length)):
            raise BadInput(f"length is {self.length:g}; it must be > 0 and finite")
        if not 0 < self.confidence < 1:
            raise BadInput(f"confidence is {self.confidence:g}; it must be in (0, 1)")
        if self.claim is not None and not self.claim >= 0:
            raise BadInput(f"claim is {self.claim:g}; it must be >= 0")
        if self.training.secure:
            raise BadInput("--secure is for deployments: an audit is an experiment, trained again")
        if not self.methods:
            object.__setattr__(self, "methods", usual_auditors(self.training, self.canary))
        for name in self.methods:
            registry.find(name)

    @property
    def white_box(self) -> bool:
        """Whether releases are seen, not only the model."""
        return self.canary != BLACK_BOX


def usual_auditors(training: Training, canary: str) -> tuple[str, ...]:
    """Auditors that are valid for what the defense of a training claims.

    Of mislabelled examples ``one-run``, which assumes nothing. Of a defense that claims a Gaussian
    mechanism ``gdp``, the tightest; of any other, whose noise may have any law, ``one-run`` and
    ``threshold``.

    Raises:
        BadInput: an unknown defense or option.
    """
    if canary == BLACK_BOX:
        return ("one-run",)
    defense = defenses.get(training.defense, **training.defense_options)
    set_by_epsilon = (
        training.epsilon is not None
        and "noise_multiplier" not in training.defense_options
        and defenses.with_effective_noise(defense, 1.0) is not None
    )
    if set_by_epsilon or defense.effective_noise() > 0:
        return ("gdp",)
    return ("one-run", "threshold")
