"""RMIA: an example against a population of non-members, as a pairwise likelihood ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evidence_checks import require_shadows
from attacks.membership.signals.ratios import FALLBACK, log_prior, soften, tune
from attacks.membership.signals.reference import log_mean_where, over_shadows
from defenses import BadInput
from defenses.options import option

ROUNDING = 1e-12
"""Log ratios this near are equal: sums over shadow models in another order differ by less."""


@registry.register("rmia")
@dataclass(frozen=True)
class Rmia(Membership):
    """Share of the population that an example dominates (Zarifzadeh et al. 2024).

    ratio(x) = p(x | target) / p(x), with p the probability of the true label by the softmax of
    logits / temperature; the score is the share of population examples z with
    ratio(x) / ratio(z) >= gamma, in [0, 1].

    Online, p(x) is the mean of the shadows' probabilities in and out, each side weighing half,
    and p(z) the mean over the shadows, all of which are out. Offline, p_in is taken for
    a p_out + 1 - a, hence p = ((1 + a) p_out + 1 - a) / 2 for x and z. Larger a: memorised less.
    ``auto`` is an `a` of 0.3 and, offline, a temperature of 2; online the temperature of 0.5, 1,
    2, 4, 8 that is best, in AUC, when every shadow in turn is attacked with the other ones
    (`ratios.tune`), 2 where that cannot be done. Offline nothing is read that a shadow says of
    an example that it was trained on.

    Several queries are compared one by one and averaged. Needs the population's logits of target
    and shadows. Examples that dominate equally many are told apart by ratio(x) itself, by less
    than 1/M (``no-break-ties``: as published), so M need not exceed the smallest FPR's inverse.
    """

    mode: str = option("online", "online or offline")
    temperature: float | str = option(
        "auto", "logits are divided by it; a number in [0.01, 100] or auto"
    )
    a: float | str = option("auto", "offline: p_in = a p_out + 1 - a; a number in [0, 1] or auto")
    gamma: float = option(1.0, "ratio that counts as dominated", low=0, open_low=True)
    break_ties: bool = option(True, "tell examples apart that dominate equally many")

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"mode": ("online", "offline")}

    def __post_init__(self) -> None:
        super().__post_init__()
        a, temperature = _number("a", self.a), _number("temperature", self.temperature)
        if a is not None and not 0 <= a <= 1:
            raise BadInput(f"a is {self.a}; it must be auto or a number in [0, 1]")
        if temperature is not None and not 0.01 <= temperature <= 100:
            raise BadInput(
                f"temperature is {self.temperature}; it must be auto or a number in [0.01, 100]"
            )

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        online, members, labels = self.mode == "online", evidence.members, evidence.labels
        require_shadows(f"rmia {self.mode}", members, inside=int(online), outside=1)
        others = evidence.population_labels
        if others is None or evidence.population_shadow_logits is None:
            raise BadInput("rmia needs population logits of the target and of the shadow models")
        temperature, a = self._temperature_and_a(evidence)
        signal = soften(temperature)
        seen = over_shadows(signal, evidence.shadows, labels)
        away = over_shadows(signal, evidence.population_shadows, others)
        everywhere = torch.ones(away.shape[:2], dtype=torch.bool, device=away.device)
        inside = log_mean_where(seen, members) if online else None
        prior_x = log_prior(inside, log_mean_where(seen, ~members), a)
        prior_z = log_mean_where(away, everywhere)
        if not online:
            prior_z = log_prior(None, prior_z, a)
        ratio_x = signal(evidence.target, labels) - prior_x
        ratio_z = signal(evidence.population_target, others) - prior_z
        return self._share_dominated(ratio_x, ratio_z.expand(-1, ratio_x.shape[1])).mean(-1)

    def _temperature_and_a(self, evidence: Evidence) -> tuple[float, float]:
        """Temperature and `a`, as given, else as the shadows (online) or the paper have them."""
        temperature, a = _number("temperature", self.temperature), _number("a", self.a)
        if temperature is None:
            known = evidence.shadows, evidence.members, evidence.labels
            temperature = tune(*known) if self.mode == "online" else FALLBACK[0]
        return temperature, FALLBACK[1] if a is None else a

    def _share_dominated(self, ratio_x: Tensor, ratio_z: Tensor) -> Tensor:
        """Share of log ratios (M, Q) at least log gamma below those in (N, Q), (N, Q)."""
        count = len(ratio_z)
        least = (ratio_x - math.log(self.gamma) + ROUNDING).T.contiguous()
        ladder = ratio_z.T.contiguous().sort(dim=1).values
        share = torch.searchsorted(ladder, least, right=True).double() / count
        if self.break_ties:
            # Softsign of the log ratio, squeezed into half a step: it never reorders the shares.
            share = share + (1 + ratio_x.T / (1 + ratio_x.T.abs())) / (4 * count)
        return share.T


def _number(name: str, value: str | float) -> float | None:
    """A number, None for ``auto``."""
    if value == "auto":
        return None
    try:
        return float(value)
    except ValueError:
        raise BadInput(f"{name} is {value}; it must be auto or a number") from None
