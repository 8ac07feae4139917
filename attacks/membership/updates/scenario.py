"""A membership Scenario of a federation: whose uploads are watched, and what the server sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.federated.scenario import Federation

FEWEST = 10
"""Examples that a participant has at least, by expectation."""


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides who is found out, and nothing that does not.

    Attributes:
        federation: whose first participant is the target; its ``examples`` are how many the target
            has by expectation, of twice as many candidates, each by a fair coin.
        secure_aggregation: whether the server sees the mean of a round's uploads alone.
    """

    federation: Federation = field(default_factory=lambda: Federation(examples=100))
    secure_aggregation: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        f = self.federation
        if (f.examples or 0) < FEWEST:
            raise BadInput(
                f"examples is {f.examples}; it must be said, and >= {FEWEST}: so many of twice as "
                "many candidates are the target's by expectation"
            )
        if f.participants < 2:
            raise BadInput(
                "participants is 1; there must be others, whom the target is compared to"
            )
        if f.theta_d < 1:
            raise BadInput(
                f"theta_d is {f.theta_d:g}; it must be 1: of a participant that downloads a part, "
                "the server does not know where it began"
            )
        if self.secure_aggregation and f.rule == "dssgd":
            raise BadInput(
                "secure_aggregation is of rules fedavg and fedsgd: under dssgd the server adds one "
                "upload at a time, so that it sees each"
            )
        if self.secure_aggregation and f.where == "server":
            raise BadInput(
                "secure_aggregation leaves sums to the server, which --where server clips one by "
                "one: let each participant clip its own, --where participant"
            )
        if self.secure_aggregation and f.norm_limit != Federation.norm_limit:
            raise BadInput(
                "norm_limit is of single uploads, of which a server of sums sees none: let each "
                "participant clip its own, --defense dpsgd --noise-multiplier 0"
            )

    @property
    def examples(self) -> int:
        """Examples of the target by expectation, half of the candidates."""
        return int(self.federation.examples or 0)

    def document(self) -> dict[str, Any]:
        """The fields of the federation, and what the server sees, as JSON holds them."""
        return {
            **self.federation.document(),
            "count": self.examples,
            "secure_aggregation": self.secure_aggregation,
        }
