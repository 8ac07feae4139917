"""LiRA: the likelihood ratio of an example's confidence with and without it in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evidence_checks import require_shadows
from attacks.membership.signals.gaussians import Side, log_joint_normal, log_normal, log_student
from attacks.membership.signals.logits import log_odds
from attacks.membership.signals.reference import over_shadows
from attacks.membership.signals.shrinkage import shrunk_variance
from defenses import BadInput
from defenses.options import option


@registry.register("lira")
@dataclass(frozen=True)
class Lira(Membership):
    """Likelihood ratio of Gaussians over the logit-scaled confidence phi (Carlini et al. 2022).

    Online (algorithm 1): log N(phi; mu_in, s_in^2) - log N(phi; mu_out, s_out^2), each side
    fitted on its own shadows; every example must be in one shadow and out of another at least.
    Offline: (phi - mu_out) / s_out, which orders examples as the one-sided
    p-value does; the shadows that saw an example are not used.

    The means are each example's own. The variance, per side, is that around those means:

    - ``auto``: between a common one and the example's own, by the number of shadows and how much
      the examples differ (`shrinkage.shrunk_variance`). Online, that it and the mean are
      estimates turns the Gaussian into Student's t, so that no example is told apart by a
      variance that is small by chance;
    - ``shrunk``: the same variance in a Gaussian;
    - ``pooled``: one for all examples, the paper's choice below 64 shadows;
    - ``example``: each example's own, the paper's choice above.

    With Q queries: ``mean`` averages the queries' scores; ``joint`` has one Gaussian over all
    queries, its covariance pooled over examples (offline: the standardised shift common to all).
    """

    mode: str = option("online", "online or offline")
    variance: str = option("auto", "auto, shrunk, pooled or example")
    queries: str = option("mean", "how augmented queries are joined: mean or joint")

    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "mode": ("online", "offline"),
        "variance": ("auto", "shrunk", "pooled", "example"),
        "queries": ("mean", "joint"),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.queries == "joint" and self.variance not in ("auto", "pooled"):
            raise BadInput(
                f"queries joint has a pooled covariance; variance must not be {self.variance}"
            )

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        online, members = self.mode == "online", evidence.members
        require_shadows(f"lira {self.mode}", members, models=2, inside=int(online), outside=1)
        phi = log_odds(evidence.target, evidence.labels)
        values = over_shadows(log_odds, evidence.shadows, evidence.labels)
        outside = Side("out", values, ~members)
        inside = Side("in", values, members) if online else None
        if self.queries == "joint":
            return _joint(phi, inside, outside)
        if inside is None:
            variance, _ = self._variance(outside)
            return ((phi - outside.mean) / variance.sqrt()).mean(-1)
        return (self._density(phi, inside) - self._density(phi, outside)).mean(-1)

    def _density(self, phi: Tensor, side: Side) -> Tensor:
        """(N, Q) log-likelihood of the target's phi, were it on this side."""
        variance, freedom = self._variance(side)
        if freedom is None:
            return log_normal(phi, side.mean, variance)
        return log_student(phi, side.mean, variance, freedom)

    def _variance(self, side: Side) -> tuple[Tensor, Tensor | None]:
        """Variances (N or 1, Q), and for ``auto`` their degrees of freedom (N, Q)."""
        if self.variance == "pooled":
            return side.pooled_variance(), None
        if self.variance == "example":
            return side.example_variance(), None
        variance, freedom = shrunk_variance(side)
        if self.variance == "shrunk":
            return variance, None
        return variance * (1 + 1 / side.counts.unsqueeze(-1)), freedom


def _joint(phi: Tensor, inside: Side | None, outside: Side) -> Tensor:
    """Scores from one Gaussian over all queries per side, (N,)."""
    covariance = outside.pooled_covariance()
    if inside is None:
        weights = torch.linalg.solve(covariance, torch.ones_like(covariance[0]))
        shift: Tensor = (phi - outside.mean) @ weights / weights.sum().sqrt()
        return shift
    return log_joint_normal(phi, inside.mean, inside.pooled_covariance()) - log_joint_normal(
        phi, outside.mean, covariance
    )
