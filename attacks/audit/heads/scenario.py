"""A head's audit Scenario: whose guarantee is attacked, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from attacks.audit.contract import registry
from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed
from victims.transfer.scenario import Transfer


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides what an audit of a head finds, and nothing that does not.

    Attributes:
        transfer: the audited head; its ``count`` is how many examples it has besides the canary.
        runs: independent fits, in about half of which the canary is there.
        canary: ``mislabelled``: an example of the test split with another's label.
        auditor: see `attacks.audit.names`.
        confidence: the confidence of the verdict, in (0, 1).
        claim: the epsilon that is audited; None: the accountant's.
        seed: the seed of coins and canary, and of all noise.
    """

    transfer: Transfer = field(default_factory=lambda: Transfer(count=200, epsilon=1.0))
    runs: int = 1000
    canary: str = "mislabelled"
    auditor: str = "gdp"
    confidence: float = 0.95
    claim: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.canary != "mislabelled":
            raise BadInput(f"unknown canary {self.canary!r}; known: mislabelled")
        if self.runs < 2:
            raise BadInput(f"runs is {self.runs}; it must be >= 2")
        if not 0 < self.confidence < 1:
            raise BadInput(f"confidence is {self.confidence:g}; it must be in (0, 1)")
        if self.claim is not None and not self.claim >= 0:
            raise BadInput(f"claim is {self.claim:g}; it must be >= 0")
        registry.find(self.auditor)
