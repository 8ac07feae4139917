"""RMIA: an example against a population of non-members, as a pairwise likelihood ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from attacks.membership.checks import require_shadows
from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.reference import log_mean_where, over_shadows
from attacks.membership.signals import log_likelihood
from defenses import BadInput
from defenses.registry import option

FALLBACK = 0.3
"""`a` where it cannot be tuned, since no shadow saw any of the examples."""
ROUNDING = 1e-12
"""Log ratios this near are equal: sums over shadow models in another order differ by less."""
GRID = [k / 10 for k in range(11)]


@registry.register("rmia")
@dataclass(frozen=True)
class Rmia(Membership):
    """Share of the population that an example dominates (Zarifzadeh et al. 2024).

    ratio(x) = p(x | target) / p(x), with p the softmax probability of the true label; the score
    is the share of population examples z with ratio(x) / ratio(z) >= gamma, in [0, 1].

    Online, p(x) is the mean of the shadows' probabilities in and out, each side weighing half,
    and p(z) the mean over the shadows, all of which are out. Offline, p_in is taken for
    a p_out + 1 - a, hence p = ((1 + a) p_out + 1 - a) / 2 for x and z. Larger a: memorised less.
    ``auto`` takes the best of 0, 0.1, ..., 1, in AUC, when every shadow in turn is attacked with
    the other ones; 0.3 where the shadows saw none of the examples.

    Several queries are compared one by one and averaged. Needs the population's logits of target
    and shadows. Examples that dominate equally many are told apart by ratio(x) itself, by less
    than 1/M (``no-break-ties``: as published), so M need not exceed the smallest FPR's inverse.
    """

    mode: str = option("online", "online or offline")
    a: str = option("auto", "offline: p_in = a p_out + 1 - a; a number in [0, 1] or auto")
    gamma: float = option(1.0, "ratio that counts as dominated", low=0, open_low=True)
    break_ties: bool = option(True, "tell examples apart that dominate equally many")

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"mode": ("online", "offline")}

    def __post_init__(self) -> None:
        super().__post_init__()
        _number(self.a)

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        online, members, labels = self.mode == "online", evidence.members, evidence.labels
        require_shadows(f"rmia {self.mode}", members, inside=int(online), outside=1)
        others = evidence.population_labels
        if others is None or evidence.population_shadow_logits is None:
            raise BadInput("rmia needs population logits of the target and of the shadow models")
        seen = over_shadows(log_likelihood, evidence.shadows, labels)
        away = over_shadows(log_likelihood, evidence.population_shadows, others)
        everywhere = torch.ones(away.shape[:2], dtype=torch.bool, device=away.device)
        prior_x, prior_z = log_mean_where(seen, ~members), log_mean_where(away, everywhere)
        if online:
            prior_x = torch.logaddexp(log_mean_where(seen, members), prior_x) - math.log(2)
        else:
            a = _number(self.a)
            a = tuned(seen, members) if a is None else a
            prior_x, prior_z = offline_prior(prior_x, a), offline_prior(prior_z, a)
        ratio_x = log_likelihood(evidence.target, labels) - prior_x
        ratio_z = log_likelihood(evidence.population_target, others) - prior_z
        return self._dominated(ratio_x, ratio_z.expand(-1, ratio_x.shape[1])).mean(-1)

    def _dominated(self, ratio_x: Tensor, ratio_z: Tensor) -> Tensor:
        """Share of log ratios (M, Q) at least log gamma below those in (N, Q), (N, Q)."""
        count = len(ratio_z)
        least = (ratio_x - math.log(self.gamma) + ROUNDING).T.contiguous()
        ladder = ratio_z.T.contiguous().sort(dim=1).values
        share = torch.searchsorted(ladder, least, right=True).double() / count
        if self.break_ties:
            # Softsign of the log ratio, squeezed into half a step: it never reorders the shares.
            share = share + (1 + ratio_x.T / (1 + ratio_x.T.abs())) / (4 * count)
        return share.T


def offline_prior(outside: Tensor, a: float) -> Tensor:
    """log(((1 + a) p_out + 1 - a) / 2) from log p_out."""
    scaled = outside + math.log((1 + a) / 2)
    return scaled if a == 1 else torch.logaddexp(scaled, scaled.new_tensor((1 - a) / 2).log())


def tuned(seen: Tensor, members: Tensor) -> float:
    """The `a` of the best AUC when each shadow is attacked with the others that are out.

    Args:
        seen: (K, N, Q) log-probabilities of the true labels.
        members: (K, N) bool.
    """
    chances, outside = seen.exp(), ~members
    total = torch.where(outside.unsqueeze(-1), chances, 0.0).sum(0)
    left = outside.sum(0) - outside.long()
    rest = total - torch.where(outside.unsqueeze(-1), chances, 0.0)
    usable = left > 0
    truth = members[usable]
    if bool(truth.all()) or not bool(truth.any()):
        return FALLBACK
    mean = (rest[usable] / left[usable].unsqueeze(-1)).clamp(min=1e-300).log()
    ratios = [(seen[usable] - offline_prior(mean, a)).mean(-1) for a in GRID]
    areas = [roc_auc_score(truth.cpu().numpy(), r.cpu().numpy()) for r in ratios]
    return GRID[max(range(len(GRID)), key=areas.__getitem__)]


def _number(a: str | float) -> float | None:
    """`a` as a number, None for ``auto``."""
    if a == "auto":
        return None
    try:
        value = float(a)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise BadInput(f"a is {a}; it must be auto or a number in [0, 1]")
    return value
