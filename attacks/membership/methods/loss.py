"""The loss threshold: members have a lower loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.signals.logits import log_likelihood


@registry.register("loss")
@dataclass(frozen=True)
class Loss(Membership):
    """Minus the target's cross-entropy loss, mean over queries (Yeom et al. 2018).

    Needs the target's logits only; in (-inf, 0].
    """

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        return log_likelihood(evidence.target, evidence.labels).mean(-1)
