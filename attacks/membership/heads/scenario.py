"""A membership Scenario of a head: whose fit is attacked, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field

from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.transfer.scenario import Transfer


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides who is found out, and nothing that does not.

    Attributes:
        transfer: the fit of the target, and with other members and noise that of every shadow;
            its ``count`` is how many examples each of them is fitted on by expectation: every
            candidate is a member by a fair coin. It is their public number, too.
        shadows: shadow heads, an even number: they come in pairs that split the candidates.
        population: further examples on which no head is fitted.
        attacks: names of `attacks.membership.names`, with options after commas.
        seed: chooses candidates, members and all noise.
    """

    transfer: Transfer = field(default_factory=lambda: Transfer(count=500, epsilon=1.0))
    shadows: int = 64
    population: int = 200
    attacks: tuple[str, ...] = ("loss", "calibrated", "lira", "rmia")
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.shadows < 2 or self.shadows % 2:
            raise BadInput(f"shadows is {self.shadows}; it must be an even number >= 2")
        if self.population < 2:
            raise BadInput(f"population is {self.population}; it must be >= 2")
        if (self.transfer.count or 0) < 10:
            raise BadInput(f"members is {self.transfer.count}; it must be >= 10")
        if not self.attacks:
            raise BadInput("no attack is named")

    @property
    def members(self) -> int:
        """Examples that each head is fitted on by expectation, of twice as many candidates."""
        return int(self.transfer.count or 0)
