"""Quantile regression: how confident would the target be without the example?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evidence_checks import require_shadows
from attacks.membership.signals.logits import log_odds
from attacks.membership.signals.reference import over_shadows
from defenses import BadInput
from defenses.options import option


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of examples without the target.

    Attributes:
        labels: (N,) integers.
        mean: (N,) phi over the shadows that did not see them, mean; 0 without shadows.
        spread: (N,) standard deviation of phi over them; 0 below two such shadows.
    """

    labels: Tensor
    mean: Tensor
    spread: Tensor

    @property
    def table(self) -> Tensor:
        """(N, 3) float64, what the regression reads."""
        return torch.stack([self.labels.double(), self.mean, self.spread], -1)


@registry.register("quantile")
@dataclass(frozen=True)
class Quantile(Membership):
    """phi less the quantile that a regression predicts for non-members (Bertran et al. 2023).

    phi is the logit-scaled confidence, mean over queries. The regression (trees boosted on the
    pinball loss) predicts a quantile of a non-member's phi from what is known without the
    target: the label, and mean and spread of phi over the shadows that did not see the example.
    A score above 0 is their test at a false-positive rate of ``1 - level``.

    With a population it learns from the target's own phi there, as in the paper; shadows are
    optional then, and without them the label is all it knows. Without a population it learns
    from the shadows: phi of each on the examples that it did not see, against the other shadows.
    Unlike the paper's, it never sees the images: the shadows say how hard an example is.
    """

    level: float = option(
        0.9, "quantile of non-members", low=0, high=1, open_low=True, open_high=True
    )

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        # On demand: scikit-learn takes a second to load.
        from sklearn.ensemble import HistGradientBoostingRegressor

        phi = log_odds(evidence.target, evidence.labels).mean(-1)
        known, lessons, answers = _lessons(evidence)
        trees = HistGradientBoostingRegressor(
            loss="quantile",
            quantile=self.level,
            max_leaf_nodes=8,
            categorical_features=[0] if evidence.target.shape[-1] <= 255 else None,
            early_stopping=False,
            random_state=0,
        )
        trees.fit(lessons.table.cpu().numpy(), (answers - lessons.mean).cpu().numpy())
        beyond = torch.from_numpy(trees.predict(known.table.cpu().numpy())).to(phi.device)
        return phi - known.mean - beyond


def _lessons(evidence: Evidence) -> tuple[Known, Known, Tensor]:
    """What is known of the examples, of the non-members to learn from, and phi of those."""
    labels, others, members = evidence.labels, evidence.population_labels, evidence.members
    if others is None:
        require_shadows("quantile without a population", members, models=2, outside=1)
        values = _phi(evidence.shadows, labels)
        return (_known(labels, values, ~members), *_leave_one_out(labels, values, ~members))
    answers = log_odds(evidence.population_target, others).mean(-1)
    away = evidence.population_shadow_logits
    if away is None:
        return _without_shadows(labels), _without_shadows(others), answers
    require_shadows("quantile with shadow models", members, outside=1)
    known = _known(labels, _phi(evidence.shadows, labels), ~members)
    values = _phi(evidence.population_shadows, others)
    return known, _known(others, values, torch.ones_like(values, dtype=torch.bool)), answers


def _phi(shadows: Tensor, labels: Tensor) -> Tensor:
    """(K, N) logit-scaled confidence, mean over queries."""
    return over_shadows(log_odds, shadows, labels).mean(-1)


def _without_shadows(labels: Tensor) -> Known:
    """What is known of examples where there are no shadows: their labels."""
    nothing = torch.zeros(len(labels), dtype=torch.float64, device=labels.device)
    return Known(labels, nothing, nothing)


def _known(labels: Tensor, values: Tensor, mask: Tensor) -> Known:
    """Mean and spread of (K, N) values where the mask holds."""
    count = mask.sum(0).clamp(min=1)
    mean = torch.where(mask, values, 0.0).sum(0) / count
    square = torch.where(mask, (values - mean).square(), 0.0).sum(0)
    return Known(labels, mean, (square / (count - 1).clamp(min=1)).sqrt())


def _leave_one_out(labels: Tensor, values: Tensor, mask: Tensor) -> tuple[Known, Tensor]:
    """Each shadow's phi on examples it did not see, known from the other such shadows."""
    parts, answers = [], []
    for k in range(len(values)):
        rest = mask.clone()
        rest[k] = False
        use = mask[k] & rest.any(0)
        known = _known(labels[use], values[:, use], rest[:, use])
        parts.append(known.table)
        answers.append(values[k, use])
    table = torch.cat(parts)
    if len(table) == 0:
        raise BadInput("quantile without a population needs examples that two shadows did not see")
    return Known(table[:, 0].long(), table[:, 1], table[:, 2]), torch.cat(answers)
