"""Which attacks practice favours, and with which weight of total variation."""

from __future__ import annotations

import dataclasses
import itertools
import math

from attacks.invert.contract import Inversion
from attacks.invert.practice.practice import Practice

WEIGHTS = {"bayes": (1e-5, 1e-4, 1e-3), "dlg": (1e-5, 1e-4, 1e-3), "geiping": (1e-4, 1e-3, 1e-2)}
"""Total-variation weights tried for the family that does best."""


def rank_attacks(
    practice: Practice, trials: tuple[Inversion, ...], *, noisy: bool
) -> tuple[Inversion, ...]:
    """Rank attacks by practice, and choose the first one's total-variation weight from a grid.

    Args:
        practice: its batches, evaluations and time.
        trials: the attacks.
        noisy: whether the adversary knows of noise on the release.

    Returns:
        Those that do better than a guess without the release, the best first; that guess alone
        where nothing does.
    """
    grid = max(map(len, WEIGHTS.values()))
    practice.runs = (len(trials) + grid) * len(practice.own)
    (error, best), *rest = practice.rank(trials)
    if best.name == "prior":
        return (best,)
    # With noise `bayes` takes its weights from the spectrum: there is no grid to search.
    if best.name in WEIGHTS and not (noisy and best.name == "bayes"):
        best = _weigh(practice, best, error)
    later = (trial for _, trial in rest)
    return (best, *itertools.takewhile(lambda trial: trial.name != "prior", later))


def _weigh(practice: Practice, attack: Inversion, error: float) -> Inversion:
    """The attack with the weight of the grid that does best; the one that it has was tried."""
    weighted: list[Inversion] = [
        dataclasses.replace(attack, tv=weight)  # type: ignore[call-arg]
        for weight in WEIGHTS[attack.name]
    ]
    errors = [error if trial == attack else practice.error(trial) for trial in weighted]
    return weighted[errors.index(min(errors))] if math.isfinite(min(errors)) else attack
