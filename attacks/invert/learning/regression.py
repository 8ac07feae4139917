"""Linear regression in closed form: unknowns from what was measured of them, and its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FEW = 1024
"""Columns of which squares are held at a time."""
FAINT = 1e-4
"""A column that varies by less than this share of its mean is constant but for rounding."""


@dataclass(frozen=True)
class Regression:
    """Measurements as a Gaussian around their mean over N examples, N(m, S + rho I).

    The coefficients a = A (A^T A + N rho I)^-1 d = (A A^T + N rho I)^-1 A d are of the examples:
    what is unknown of a new one is the examples' mean plus their deviations weighted by a,
    whatever it is that is unknown (ridge regression, Hoerl and Kennard 1970). Where rho is the
    variance of noise, this is the Wiener filter. The smaller of the two matrices is factorised.

    Attributes:
        mean: (D,) of the columns.
        unit: (D,) of the columns.
        rows: (N, D), A: deviations from the mean in these units.
        rho: added to the variance of every column.
        factor: (n, n) lower Cholesky factor in float64, n = min(N, D).
    """

    mean: Tensor
    unit: Tensor
    rows: Tensor
    rho: float
    factor: Tensor

    @classmethod
    def fit(cls, shown: Tensor, *, added: float = 0.0, ridge: float = 0.0) -> Regression:
        """Learn from (N, D) float32 measurements, one example a row.

        Args:
            shown: the measurements, not all of them alike; they are overwritten, for they may fill
                most of the memory.
            added: rho, the variance that a new measurement has beside these; the columns keep
                their units then.
            ridge: rho where nothing is added, and columns are taken in units of their own std.
        """
        mean = shown.mean(0)
        rows = shown.sub_(mean)
        unit = torch.ones_like(mean)
        if not added:
            spread = torch.cat([few.square().mean(0) for few in rows.split(FEW, 1)]).sqrt()
            faint = FAINT * mean.abs()
            unit = torch.where(spread > faint, spread, faint)
            unit = torch.where(unit > 0, unit, 1.0)
            rows.div_(unit)
        rho = added or ridge
        count, columns = rows.shape
        gram = (rows.T @ rows if columns <= count else rows @ rows.T).double()
        gram.diagonal().add_(count * rho)
        return cls(mean, unit, rows, rho, torch.linalg.cholesky(gram))

    def deviation(self, observed: Tensor) -> Tensor:
        """(D,) a new measurement's deviation from the mean, in the columns' units."""
        return (observed - self.mean) / self.unit

    def coefficients(self, observed: Tensor) -> Tensor:
        """(N,) float32, how much of every example's deviation is in the prediction.

        Args:
            observed: (D,), a new measurement.
        """
        deviation = self.deviation(observed)
        if self._primal:
            return self.rows @ self._solve(deviation)
        return self._solve(self.rows @ deviation)

    def weights(self, targets: Tensor) -> Tensor:
        """(D, T) float32: `deviation` times these is the predicted deviation of the unknowns.

        Args:
            targets: (N, T), deviations of the examples' unknowns from their mean.
        """
        if self._primal:
            return self._solve(self.rows.T @ targets)
        return self.rows.T @ self._solve(targets)

    def log_evidence(self, observed: Tensor) -> float:
        """log p(observed) under the Gaussian, up to a constant that depends on D alone."""
        deviation = self.deviation(observed)
        count, columns = self.rows.shape
        volume = 2 * float(self.factor.diagonal().log().sum())
        if self._primal:
            volume -= columns * math.log(count)
            square = count * float(deviation.double() @ self._solve(deviation).double())
        else:
            volume += (columns - count) * math.log(self.rho) - count * math.log(count)
            along = self.rows @ deviation
            inside = float(along.double() @ self._solve(along).double())
            square = (float(deviation.double().square().sum()) - inside) / self.rho
        return -(square + volume) / 2 - float(self.unit.double().log().sum())

    @property
    def _primal(self) -> bool:
        return self.rows.shape[1] <= self.rows.shape[0]

    def _solve(self, right: Tensor) -> Tensor:
        """The factorised matrix's inverse times (n,) or (n, T), in float64 inside."""
        columns = right.reshape(len(right), -1).double()
        return torch.cholesky_solve(columns, self.factor).reshape(right.shape).float()
