"""A Federation: what decides a federated training, and nothing that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.federated.turns import ORDERS

RULES = ("dssgd", "fedavg", "fedsgd")
"""Distributed selective SGD (the server adds each upload); federated averaging of the differences
that local epochs make; averaging of one batch's gradients."""
PLACES = ("participant", "server")
"""Where the defense stands."""


@dataclass(frozen=True)
class Federation(Keyed):
    """One federated training (see ``python -m victims.federated --help`` for each field).

    Attributes:
        data: see `victims.load_data`; its ``train`` split is shared out, ``test`` measures.
        participants: how many there are, N.
        examples: of each participant, drawn without overlap with ``seed``; None: all, shared out.
        model: see `victims.load_model`.
        rule: one of `RULES`.
        order: of uploads under ``dssgd``, one of `victims.federated.turns.ORDERS`.
        staleness: under ``asynchronous``, how many others' uploads the server adds between a
            participant's download and its upload; below ``participants``.
        theta_d: under ``dssgd``, share of the parameters that a participant downloads, in (0, 1].
        decay: under ``dssgd``, factor of the download counters at every upload, in (0, 1].
        share: under the other rules, probability with which a participant is in a round.
        rounds: under ``dssgd`` N uploads, under the other rules one step of the server.
        epochs: of local training in a round; ``fedsgd`` takes one batch instead.
        batch_size: of local training; under ``fedsgd`` the expected one, the public divisor.
        lr: learning rate of local training, or of the server's step under ``fedsgd``.
        defense: registered name or ``pkg.module:Class``; its options in ``defense_options``.
        where: one of `PLACES`: each participant defends what it sends, or the server what it
            makes of all, each participant's update clipped.
        per_parameter: epsilon per uploaded parameter of the sparse vector technique, which then
            takes the place of the selection of ``dssgd``; None: values leave as they are.
        epsilon: sets the noise of the defense so that whom it protects spends this.
        delta: the delta of every guarantee, in (0, 1).
        norm_limit: an upload longer than this many times the usual is rejected, > 1.
        seed: the seed of everything random.
    """

    data: str = "digits"
    participants: int = 10
    examples: int | None = None
    model: str = "shared-mlp"
    rule: str = "dssgd"
    order: str = "round-robin"
    staleness: int = 0
    theta_d: float = 1.0
    decay: float = 1.0
    share: float = 1.0
    rounds: int = 10
    epochs: int = 1
    batch_size: int = 10
    lr: float = 0.1
    defense: str = "dssgd"
    defense_options: dict[str, Any] = field(default_factory=dict)
    where: str = "participant"
    per_parameter: float | None = None
    epsilon: float | None = None
    delta: float = 1e-5
    norm_limit: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        for name, known in {"rule": RULES, "order": ORDERS, "where": PLACES}.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise BadInput(f"unknown {name} {value!r}; known: {', '.join(known)}")
        for name in ("participants", "rounds", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be >= 1")
        if self.examples is not None and self.examples < 1:
            raise BadInput(f"examples is {self.examples}; it must be >= 1")
        if self.seed < 0:
            raise BadInput(f"seed is {self.seed}; it must be >= 0")
        self._check_numbers()
        self._check_rule()

    def _check_numbers(self) -> None:
        for name in ("theta_d", "decay", "share"):
            value = float(getattr(self, name))
            object.__setattr__(self, name, value)  # 1 and 1.0 have one key
            if not 0 < value <= 1:
                raise BadInput(f"{name} is {value:g}; it must be in (0, 1]")
        for name in ("lr", "per_parameter", "epsilon"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value))
                if not 0 < value < math.inf:
                    raise BadInput(f"{name} is {value:g}; it must be > 0 and finite")
        object.__setattr__(self, "norm_limit", float(self.norm_limit))
        if not self.norm_limit > 1:
            raise BadInput(f"norm_limit is {self.norm_limit:g}; it must be > 1")
        if not 0 < self.delta < 1:
            raise BadInput(f"delta is {self.delta:g}; it must be in (0, 1)")

    def _check_rule(self) -> None:
        """Refuse what the rule has no place for, rather than leave it out in silence."""
        start = type(self).__dataclass_fields__
        own = {
            "dssgd": ("order", "staleness", "theta_d", "decay", "per_parameter"),
            "fedavg, fedsgd": ("share", "where"),
        }
        for rules, names in own.items():
            for name in names:
                if self.rule not in rules and getattr(self, name) != start[name].default:
                    raise BadInput(f"{name} is of rule {rules}; it has no place in {self.rule}")
        if self.rule == "fedsgd" and self.epochs != 1:
            raise BadInput("epochs is of rules dssgd and fedavg; fedsgd takes one batch a round")
        if self.staleness and self.order != "asynchronous":
            raise BadInput(f"staleness is of order asynchronous; in {self.order} nobody overtakes")
        if not 0 <= self.staleness < self.participants:
            raise BadInput(
                f"staleness is {self.staleness}; it must be in [0, {self.participants - 1}], "
                "for nobody is asked again before it has answered"
            )
