"""Selects and uploads by the sparse vector technique (Shokri and Shmatikov 2015, Section 6).

The mechanism is NumericSparse (Dwork and Roth 2014, Algorithm 3; one of the private variants in
Lyu, Su and Li 2017), with fresh threshold noise after every hit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SELECTING, SENDING = 8 / 9, 2 / 9
"""Shares of epsilon by which the noise of threshold and queries, and of values, is scaled. The
values cost half of theirs: their noise is twice what their sensitivity needs."""
WINDOW = 64
"""Queries that are looked at together for the next hit; it changes no result."""


@dataclass(frozen=True)
class SparseVector:
    """One upload of ``count`` values at most, epsilon-differentially private in all of its data.

    Every coordinate is truncated to [-gamma, gamma], so that no change of the data moves it, or
    its magnitude, by more than 2 gamma. The guarantee is for ideal Laplace noise: pure epsilon,
    whatever the participant's data are replaced by.

    Attributes:
        epsilon: of the whole upload, > 0.
        count: how many coordinates may be sent, c >= 1.
        gamma: bound of a coordinate, > 0.
        tau: magnitude above which a coordinate is to be sent, in the unit of gamma.
    """

    epsilon: float
    count: int
    gamma: float
    tau: float

    @property
    def query_scale(self) -> float:
        """Scale of the Laplace noise on a query; that on the threshold is half of it."""
        return 4 * self.count * 2 * self.gamma / (SELECTING * self.epsilon)

    @property
    def value_scale(self) -> float:
        """Scale of the Laplace noise on a value: 18 gamma / (epsilon / count)."""
        return 2 * self.count * 2 * self.gamma / (SENDING * self.epsilon)

    def upload(self, update: Tensor, generator: torch.Generator) -> Tensor:
        """What is sent of an update (P,): noisy values truncated to gamma, 0 where nothing is.

        Coordinates are asked in a random order; after ``count`` hits nothing more is asked. One
        that is NaN counts as 0: it would never be sent, and so tell that training diverged.

        Args:
            update: (P,) float.
            generator: CPU generator of order and noise.
        """
        order = torch.randperm(len(update), generator=generator)
        values = update.double().nan_to_num(nan=0.0).clamp(-self.gamma, self.gamma)[order]
        noisy = values.abs() + laplace(len(values), self.query_scale, generator)
        limits = self.tau + laplace(self.count, self.query_scale / 2, generator)
        hits = first_above(noisy.numpy(), limits.numpy())
        sent = values[hits] + laplace(len(hits), self.value_scale, generator)
        made = torch.zeros_like(update)
        made[order[hits]] = sent.clamp(-self.gamma, self.gamma).to(update.dtype)
        return made


def first_above(queries: np.ndarray, limits: np.ndarray) -> list[int]:
    """Indices of queries that reach the limit then in force; each hit brings the next limit.

    Args:
        queries: (P,) noisy answers, in the order in which they are asked.
        limits: (c,) noisy thresholds; when the last one has been reached, the rest is not asked.
    """
    hits: list[int] = []
    start = 0
    while len(hits) < len(limits) and start < len(queries):
        window = queries[start : start + WINDOW] >= limits[len(hits)]
        found = int(window.argmax())
        if window[found]:
            hits.append(start + found)
            start += found + 1
        else:
            start += len(window)
    return hits


def laplace(count: int, scale: float, generator: torch.Generator) -> Tensor:
    """(count,) float64 draws of the Laplace distribution with mean 0."""
    signs = torch.randint(2, (count,), generator=generator) * 2.0 - 1
    return scale * signs * torch.empty(count, dtype=torch.float64).exponential_(generator=generator)
