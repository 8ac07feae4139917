"""A Scenario is what is run, hashed, cached and resumed; `attacks.run` turns it into a Record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import defenses
from attacks.invert.contract import registry
from defenses import BadInput
from defenses.options import check_types
from defenses.registry import Registry
from reports.records.column import ADAPTIVE, ATTACKERS, NAIVE
from reports.records.keyed import Keyed
from victims.gradients import LocalSteps
from victims.gradients.local_steps import FACTS, MOMENTUM

CANDIDATES = 64
"""Of the candidate game, the private image included; fewer where the split has fewer."""
COLUMNS = {"both": ATTACKERS, "adaptive": (ADAPTIVE,), "naive": (NAIVE,)}
"""The attackers that a Scenario asks for."""
RUNNING, BATCH, RELEASED = BATCH_NORMS = ("running", "batch", "released")
"""By which statistics a client's batch normalisation goes: those that the model came with, those of
its own batch, or these, which it sends beside the update."""
THREATS = ("honest", "malicious")
"""What the server does: as the protocol says, or sends another model."""
CHOICES = {"batch_norm": BATCH_NORMS, "threat": THREATS, "columns": tuple(COLUMNS)}
"""Fields that take one of a few words."""


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides a result, and nothing that does not (no paths, no device).

    Attributes:
        data: see `victims.load_data`.
        images: how many private images are attacked.
        size: image edge for data that can be scaled; None: the data's own.
        batch: examples per private batch; ``images`` must be a multiple.
        model: see `victims.load_model`.
        state: ``untrained``, or a safetensors file of trained weights.
        state_sha256: of that file, so that other weights under the same name are another Scenario.
        layers: ``all``, or ``last`` when only the last linear layer is trained and released.
        split: whose images are attacked, ``test``, or ``train``; the adversary's are the other's.
        step: of the training run that ``state`` comes from; None: from none.
        defense: the defense under study, its options in ``defense_options``; an instance stands
            for its own name and options, see `defenses.registry.named`.
        against: defenses shown beside it, given the same options where they have them.
        attack: see `attacks.invert.names`, its options in ``attack_options``.
        moments: steps of a nominal run, from the first to the last, at which a scheduled defense is
            attacked; the worst for privacy counts. Others are attacked once.
        local_steps: steps of plain SGD that the client takes on the batch before it sends the
            difference of its weights, see `victims.gradients.LocalSteps`; None: it sends a
            gradient. These three are given together or not at all.
        local_lr: learning rate of these steps.
        local_batch: examples in each step; ``batch`` must be ``local_steps`` times as many.
        local_momentum: of these steps; None: none.
        batch_norm: ``running``, ``batch`` or ``released``, see `BATCH_NORMS`. By the statistics of
            the batch the examples have no gradients of their own: their one gradient is that of a
            client, as one local step at learning rate 1 would be.
        secure_aggregation: participants who have a batch's images in equal parts, and the mean of
            whose updates is all that the server sees, see `attacks.invert.aggregated`; 1: one has
            them all.
        columns: ``both``, ``adaptive`` or ``naive`` attackers.
        threat: ``honest``, or ``malicious`` where the server sends a model of its own making; each
            attack is of one of them.
        labels_known: whether the attacker is told the labels.
        candidates: N of the candidate game, the private image included; 1: it is not played.
        epsilon: sets the noise multiplier so that one release spends this; None leaves it.
        delta: of every guarantee.
        evaluations: gradient evaluations that the attack's optimisers may spend on each image;
            None: as many as the attack's own options say.
        budget: a guard in seconds per image over all that each attacker does. Where it cuts
            something short, the numbers depend on the machine. None: no guard.
        seed: of everything random.
    """

    unsaid = (*FACTS, MOMENTUM, "candidates", "threat", "batch_norm", "secure_aggregation")

    data: str = "photos"
    images: int = 8
    size: int | None = None
    batch: int = 1
    model: str = "lenet"
    state: str = "untrained"
    state_sha256: str | None = None
    layers: str = "all"
    split: str = "test"
    step: int | None = None
    defense: str = "dprs"
    defense_options: dict[str, Any] = field(default_factory=dict)
    against: tuple[str, ...] = ("none", "dpsgd")
    attack: str = "auto"
    attack_options: dict[str, Any] = field(default_factory=dict)
    moments: int = 3
    columns: str = "both"
    threat: str = "honest"
    labels_known: bool = False
    candidates: int = CANDIDATES
    epsilon: float | None = None
    delta: float = 1e-5
    evaluations: int | None = None
    budget: float | None = None
    seed: int = 0
    local_steps: int | None = None
    local_lr: float | None = None
    local_batch: int | None = None
    local_momentum: float | None = None
    batch_norm: str = RUNNING
    secure_aggregation: int = 1

    def __post_init__(self) -> None:
        for which, known in (("defense", defenses.registry), ("attack", registry)):
            self._name(which, known)
        check_types(self)
        if self.local_lr is not None:
            object.__setattr__(self, "local_lr", float(self.local_lr))
        if self.local_momentum is not None:
            object.__setattr__(self, MOMENTUM, float(self.local_momentum) or None)
        for which, words in CHOICES.items():
            if (word := getattr(self, which)) not in words:
                raise BadInput(f"unknown {which} {word!r}; known: {', '.join(words)}")
        if self.batch_norm != RUNNING and self.local_steps is not None:
            raise BadInput(f"batch_norm {self.batch_norm!r} is of one gradient, not of local steps")
        if self.batch_norm != RUNNING and (self.layers != "all" or self.threat != THREATS[0]):
            raise BadInput(
                f"batch_norm {self.batch_norm!r} is of all layers of an honest server's model"
            )
        if self.local is not None and self.batch != self.local.images:
            raise BadInput(
                f"batch is {self.batch}; {self.local_steps} local steps of {self.local_batch} "
                f"take {self.local.images} images"
            )
        if self.budget is not None:
            object.__setattr__(self, "budget", float(self.budget))  # 10 and 10.0 have one key
        if self.images < 1 or self.batch < 1:
            raise BadInput(f"images and batch must be >= 1, not {self.images} and {self.batch}")
        if self.batch > self.images:
            raise BadInput(f"the batch of {self.batch} is larger than the {self.images} images")
        if self.images % self.batch:
            raise BadInput(f"{self.images} images do not make whole batches of {self.batch}")
        if self.secure_aggregation < 1 or self.batch % self.secure_aggregation:
            raise BadInput(
                f"secure_aggregation is {self.secure_aggregation}; it must be a number of "
                f"participants that share the batch of {self.batch} in equal parts"
            )
        if self.secure_aggregation > 1 and self.local is not None:
            raise BadInput(
                "secure_aggregation is of gradients: an attack on local steps replays one client's"
            )
        if self.moments < 2:
            raise BadInput(f"moments is {self.moments}; it must be >= 2: the first and the last")
        if not 1 <= self.candidates <= CANDIDATES:
            raise BadInput(
                f"candidates is {self.candidates}; it must be in [1, {CANDIDATES}], "
                "1 for no candidate game"
            )
        if self.evaluations is not None and self.evaluations < 1:
            raise BadInput(f"evaluations is {self.evaluations}; it must be >= 1")
        if self.budget is not None and not self.budget > 0:
            raise BadInput(f"budget is {self.budget:g}; it must be > 0 seconds per image")
        if not 0 < self.delta < 1:
            raise BadInput(f"delta is {self.delta:g}; it must be in (0, 1)")
        if self.threat != THREATS[0] and self.layers != "all":
            raise BadInput(f"threat {self.threat!r} plants layers; layers must be 'all'")

    def _name(self, which: str, known: Registry[Any]) -> None:
        """Put the name and the options of an instance in its place."""
        given: object = getattr(self, which)
        if isinstance(given, str):
            return
        if getattr(self, f"{which}_options"):
            raise BadInput(f"{which}_options go with a name; an instance has its own")
        name, options = known.named(given)
        object.__setattr__(self, which, name)
        object.__setattr__(self, f"{which}_options", options)

    @property
    def local(self) -> LocalSteps | None:
        """The local steps of each client; None where a gradient is released.

        Raises:
            BadInput: one of the three facts is missing, or out of its range.
        """
        if self.batch_norm != RUNNING:
            return LocalSteps(1, 1.0, self.batch)
        return LocalSteps.among({name: getattr(self, name) for name in (*FACTS, MOMENTUM)})

    @property
    def batches(self) -> int:
        """How many private batches are attacked."""
        return self.images // self.batch
