"""RMIA's prior probability, and the temperature at which it finds the shadows' members best."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from attacks.membership.signals.logits import log_likelihood
from attacks.membership.signals.reference import Signal, over_shadows

TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0)
FALLBACK = (2.0, 0.3)
"""Temperature and `a` where nothing can be learned: about what Zarifzadeh et al. 2024 use."""
NEAR = 1e-9
"""AUCs this near are equal: sums over shadow models in another order differ by less."""


def soften(temperature: float) -> Signal:
    """The signal log p_y, with p the softmax of logits / temperature."""
    return lambda logits, labels: log_likelihood(logits.double() / temperature, labels)


def log_prior(inside: Tensor | None, outside: Tensor, a: float) -> Tensor:
    """log p(x) from log p_in and log p_out, each weighing half; any shape.

    Without ``inside``, p_in is taken for a p_out + 1 - a.
    """
    if inside is not None:
        return torch.logaddexp(inside, outside) - math.log(2)
    scaled = outside + math.log((1 + a) / 2)
    return scaled if a == 1 else torch.logaddexp(scaled, scaled.new_tensor((1 - a) / 2).log())


def tune(
    shadows: Tensor,
    members: Tensor,
    labels: Tensor,
    temperatures: Sequence[float] = TEMPERATURES,
) -> float:
    """The temperature of the best AUC when each shadow is attacked online with the other ones.

    The shadow that was trained on all the other examples, if there is one, is left out too: with
    it, members would be compared with one model more than others are. This reads what shadows
    say of examples that they were trained on, which an offline adversary does not have.

    Args:
        shadows: (K, N, Q, C) logits.
        members: (K, N) bool.
        labels: (N,).
        temperatures: the temperatures to choose from.

    Returns:
        The temperature, that of `FALLBACK` where too few shadows saw the examples to tell.
    """
    from sklearn.metrics import roc_auc_score  # on demand: scikit-learn takes a second to load

    best, chosen = 0.0, FALLBACK[0]
    partners = _partners(members)
    for temperature in temperatures:
        logs = over_shadows(soften(temperature), shadows, labels)
        outside, known = _others(logs, ~members, partners)
        inside, also = _others(logs, members, partners)
        known = known & also
        truth = members[known].cpu().numpy()
        if truth.all() or not truth.any():
            break
        scores = (logs - log_prior(inside, outside, 1.0))[known].mean(-1)
        area = float(roc_auc_score(truth, scores.cpu().numpy()))
        if area > best + NEAR:
            best, chosen = area, temperature
    return chosen


def _partners(members: Tensor) -> list[int | None]:
    """Of every shadow, one that was trained on exactly the examples that it was not."""
    bits = members.double()
    alike = bits @ bits.T + (1 - bits) @ (1 - bits).T
    return [next(iter((row == 0).nonzero()[:, 0].tolist()), None) for row in alike]


def _others(logs: Tensor, side: Tensor, partners: list[int | None]) -> tuple[Tensor, Tensor]:
    """log of the mean of exp(logs) over a side without each shadow and its partner, (K, N, Q).

    Also where anything is left, (K, N).
    """
    values, counts = torch.where(side.unsqueeze(-1), logs.exp(), 0.0), side.long()
    total, count = values.sum(0), counts.sum(0)
    means, left = torch.empty_like(values), torch.empty_like(counts)
    for k, partner in enumerate(partners):
        means[k], left[k] = total - values[k], count - counts[k]
        if partner is not None:
            means[k] -= values[partner]
            left[k] -= counts[partner]
    means /= left.clamp(min=1).unsqueeze(-1)
    return means.clamp(min=1e-300).log(), left > 0
