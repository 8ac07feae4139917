"""The features of one example from what it left in a head's releases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.heads.residue import Name, Residue

ROUNDS = 3
"""Gradients depend on the features that are sought: these are found so often."""


@dataclass(frozen=True)
class Found:
    """A guess at one example's features.

    Attributes:
        feature: (d,), the features and an error that is nearly Gaussian.
        error: its standard deviation per feature, as far as the adversary can tell.
        label: that explains the releases best.
    """

    feature: Tensor
    error: float
    label: int


def from_gradients(residue: Residue, start: Tensor) -> Found:
    """The features by least squares from class sums and gradients, the label by likelihood.

    An example's part in such a release is a x^T, and a (L,) follows from the label and the head
    before; the left rows are a x^T and noise, so that the best unbiased x is a weighted mean.

    Args:
        residue: see `Residue`.
        start: (d,) the adversary's own mean feature, at which a is taken first.
    """
    wanted = [name for name, seen in residue.seen.items() if not seen.symmetric]
    guesses = [
        _by_least_squares(residue, wanted, start, label) for label in range(residue.known.classes)
    ]
    return max(guesses, key=lambda pair: pair[0])[1]


def _by_least_squares(
    residue: Residue, wanted: list[Name], start: Tensor, label: int
) -> tuple[float, Found]:
    unit = feature = _shorten(start)
    heaviness = 0.0
    for _ in range(ROUNDS):
        parts = residue.part(unit, label)
        pull, heaviness = torch.zeros_like(start), 0.0
        for name in wanted:
            share = parts[name] @ unit / max(float(unit @ unit), 1e-30)
            pull += residue.weight(name) * (share @ residue.left[name])
            heaviness += residue.weight(name) * float(share @ share)
        feature = pull / max(heaviness, 1e-30)
        unit = _shorten(feature)
    parts = residue.part(unit, label)
    noisy = any(residue.seen[name].std > 0 for name in wanted)
    error = 1 / math.sqrt(max(heaviness, 1e-30)) if noisy else 0.0
    told = residue.likelihood({name: parts[name] for name in wanted})
    return told, Found(feature, error, label)


def from_gramians(residue: Residue, start: Tensor) -> Found:
    """The features as the first eigenvector of what is left of the Gramians.

    An example's part is w x x^T: of a class that has no other example the noisy Gramian itself.
    Its sign is that of the adversary's own mean feature. The error follows from how far the
    largest eigenvalue stands out of the noise (Benaych-Georges and Nadakuditi 2011, Theorem 2.2).

    Args:
        residue: see `Residue`.
        start: (d,) the adversary's own mean feature.
    """
    best = Found(start, math.inf, 0)
    highest = -math.inf
    for name, release in residue.seen.items():
        if not release.symmetric:
            continue
        matrices = residue.left[name].reshape(-1, len(start), len(start))
        for label, matrix in enumerate(matrices):
            values, vectors = torch.linalg.eigh(matrix)
            value, vector = float(values[-1]), vectors[:, -1]
            if residue.weight(name) * value > highest:
                highest = residue.weight(name) * value
                sign = 1.0 if float(vector @ start) >= 0 else -1.0
                error = _error(value, release.std, len(start))
                best = Found(sign * vector, error, label if len(matrices) > 1 else 0)
    return best


def _error(value: float, std: float, dim: int) -> float:
    """What an eigenvector is off by per feature, of an eigenvalue out of noise of a std."""
    edge = std * math.sqrt(dim / 2)  # half of the noise's spectral radius
    if edge == 0:
        return 0.0
    # The spike that shows at this eigenvalue, and the squared cosine of its eigenvector.
    spike = (value + math.sqrt(max(value**2 - 4 * edge**2, 0.0))) / 2
    cosine = max(1 - (edge / max(spike, edge)) ** 2, 1e-6)
    return math.sqrt((1 / cosine - 1) / dim)


def _shorten(feature: Tensor) -> Tensor:
    """The feature at norm 1, as all of them are, never longer."""
    return feature * ((1 - 1e-6) / max(float(feature.norm()), 1e-30))
