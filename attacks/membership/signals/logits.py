"""Signals: numbers that one model's logits give for one example, in float64 throughout.

Everywhere: ``logits`` (N, ..., C), ``labels`` (N,), result (N, ...).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """log p_y, minus the cross-entropy loss; in (-inf, 0]."""
    return _pick(logits.double().log_softmax(-1), labels)


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """log(p_y / (1 - p_y)), the logit-scaled confidence of Carlini et al. 2022.

    Computed as z_y - logsumexp of the other logits, so that it stays exact and finite where
    p_y rounds to 0 or 1.
    """
    wide = logits.double()
    others = wide.scatter(-1, _per_query(labels, wide).unsqueeze(-1), -math.inf)
    return _pick(wide, labels) - others.logsumexp(-1)


def entropy(logits: Tensor) -> Tensor:
    """-sum_i p_i log p_i in nats, in [0, log C]; does not look at the label."""
    logs = logits.double().log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def modified_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i) (Song and Mittal 2021); >= 0."""
    logs = logits.double().log_softmax(-1)
    chances, rest = logs.exp(), log_of_rest(logits)
    label = _per_query(labels, logits).unsqueeze(-1)
    label_part = rest.gather(-1, label).exp() * logs.gather(-1, label)
    others = (chances * rest).scatter(-1, label, 0.0)
    return -(label_part.squeeze(-1) + others.sum(-1))


def log_of_rest(logits: Tensor) -> Tensor:
    """log(1 - p_i) for every class, (N, ..., C); finite also where p_i rounds to 1."""
    wide = logits.double()
    logs = wide.log_softmax(-1)
    top = wide.argmax(-1, keepdim=True)
    # Only the top class can have p > 1/2; for the others log1p loses nothing.
    small = torch.log1p(-logs.exp().scatter(-1, top, 0.0))
    others = wide.scatter(-1, top, -math.inf).logsumexp(-1, keepdim=True)
    return small.scatter(-1, top, others - wide.logsumexp(-1, keepdim=True))


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the label has the largest logit, else 0."""
    return (logits.argmax(-1) == _per_query(labels, logits)).double()


def _per_query(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels (N,) repeated over the middle axes of logits (N, ..., C)."""
    middle = logits.ndim - 2
    return labels.long().reshape(-1, *(1,) * middle).expand(logits.shape[:-1])


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    """The values of the labels' classes."""
    return values.gather(-1, _per_query(labels, values).unsqueeze(-1)).squeeze(-1)
