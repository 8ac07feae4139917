"""Calibrated loss: the loss less that of models which never saw the example."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evidence_checks import require_shadows
from attacks.membership.signals.logits import log_likelihood
from attacks.membership.signals.reference import mean_where, over_shadows


@registry.register("calibrated")
@dataclass(frozen=True)
class Calibrated(Membership):
    """Mean loss of the shadows that did not see the example, minus the target's.

    Watson et al. 2022 (difficulty calibration), with the loss as score. Every example must
    be out of at least one shadow; those that saw it are not used. Mean over queries, in nats.
    """

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        members = evidence.members
        require_shadows("calibrated", members, outside=1)
        target = log_likelihood(evidence.target, evidence.labels)
        others = over_shadows(log_likelihood, evidence.shadows, evidence.labels)
        return (target - mean_where(others, ~members)).mean(-1)
