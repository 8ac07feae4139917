"""Pulls variances per example towards one for all, as far as few shadow models demand."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from torch import Tensor

from attacks.membership.signals.gaussians import TINY, Side

MANY = 1e6
"""Degrees of freedom that stand for infinitely many: the examples share one variance."""


def shrunk_variance(side: Side) -> tuple[Tensor, Tensor]:
    """Empirical-Bayes variances (Smyth 2004).

    The examples' true variances are taken to be scaled inverse chi-squared around a common s0^2,
    with d0 degrees of freedom. Both follow from mean and variance of the log sample variances.
    The posterior variance of an example with n shadows on this side is
    (d0 s0^2 + (n - 1) s^2) / (d0 + n - 1): the common one with few shadows, its own with many.
    An example with one shadow here gets the common variance.

    Returns:
        (N, Q) variances and (N, Q) their degrees of freedom, d0 + n - 1.

    Raises:
        BadInput: no example has two shadows on this side.
    """
    pooled = side.pooled_variance()[0]
    freedom = (side.counts - 1).clamp(min=0)
    squares = side.residuals.square().sum(0)
    parts = [_one(squares[:, q], freedom, float(pooled[q])) for q in range(len(pooled))]
    variances, trusted = zip(*parts, strict=True)
    return torch.stack(variances, -1).clamp(min=TINY), torch.stack(trusted, -1)


def _one(squares: Tensor, freedom: Tensor, pooled: float) -> tuple[Tensor, Tensor]:
    """Variances and degrees of freedom of one query, (N,) each, from sums of squares (N,)."""
    known = freedom > 0
    prior, d0 = pooled, MANY
    if int(known.sum()) > 1:
        half = freedom[known] / 2
        sample = squares[known] / freedom[known]
        # A floor, for the logarithm of a variance that is 0 by chance says nothing.
        logs = sample.clamp(min=max(1e-5 * float(sample.median()), TINY)).log()
        centred = logs - torch.digamma(half) + half.log()
        excess = float(centred.var() - torch.polygamma(1, half).mean())
        if excess > float(polygamma(1, MANY / 2)):
            d0 = _freedom(excess)
            prior = math.exp(float(centred.mean()) + float(digamma(d0 / 2)) - math.log(d0 / 2))
    return (d0 * prior + squares) / (d0 + freedom), d0 + freedom


def _freedom(excess: float) -> float:
    """d with trigamma(d / 2) = excess, between 0.01 and `MANY`."""
    if excess >= float(polygamma(1, 0.005)):
        return 0.01
    return 2 * float(brentq(lambda half: float(polygamma(1, half)) - excess, 0.005, MANY / 2))
