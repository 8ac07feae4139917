"""What one attacker reaches on one setting, over all of its seeds and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from scipy.stats import binom

from reports.estimates import Estimate, pool
from reports.estimates.intervals import ANYWHERE, FEWEST, Values, p_above_zero
from reports.estimates.signs import flipped_p
from reports.records.inversion import Guarantee
from reports.scores import SCORES

GAIN, NAMES, EXCEEDS = "gain", "named", "exceeds"
"""Tests of an attacker: PSNR above guessing, the right image named more often than by chance, and
more often than its guarantee allows."""


@dataclass(frozen=True)
class PooledScores:
    """One attacker's scores on one setting, pooled over seeds; a unit is one image of one seed.

    Attributes:
        seeds: (N,) the seed of each unit.
        images: (N,) the image of each unit.
        values: name -> (N,), see `reports.records.inversion.Scores`; ``prior`` is the PSNR of
            the best guess without the release for the same image.
        corrected: test -> p, corrected over the settings of its panel (`verdicts.judge`); where
            it is None a test counts as the only one.
    """

    seeds: np.ndarray[Any, np.dtype[np.int64]]
    images: np.ndarray[Any, np.dtype[np.int64]]
    values: dict[str, Values]
    corrected: dict[str, float] | None = None

    def estimate(self, name: str) -> Estimate:
        """Mean and interval of one score over seeds and images."""
        return self._pooled(name)

    @cached_property
    def _pooled(self) -> Callable[[str], Estimate]:
        """`estimate`, computed once for each name."""

        def pooled(name: str) -> Estimate:
            return pool(
                self.values[name], self.seeds, SCORES[name].range if name in SCORES else ANYWHERE
            )

        return cache(pooled)

    @cached_property
    def gains(self) -> Values:
        """(N,) PSNR above the prior's, in dB, paired by image; NaN where one is missing."""
        found: Values = self.values["psnr"] - self.values["prior"]
        return found

    @cached_property
    def gain(self) -> Estimate:
        """Mean and interval of `gains`."""
        return pool(self.gains, self.seeds)

    @cached_property
    def is_enough(self) -> bool:
        """Whether there are images enough for a gain."""
        return bool(np.isfinite(self.gains).sum() >= FEWEST)

    @cached_property
    def interval_p(self) -> float:
        """One-sided p of a gain, as its interval has it and uncorrected; 1 for too few images."""
        known = np.isfinite(self.gains)
        return p_above_zero(self.gains[known], self.seeds[known])

    def share(self, name: str, hit: float = 1.0) -> Estimate:
        """How many units have the value ``hit``, with a Clopper-Pearson interval."""
        known = self.values[name][np.isfinite(self.values[name])]
        return Estimate.share(int((known == hit).sum()), len(known))

    @property
    def named(self) -> Estimate:
        """Share of images named at the first try among the candidates."""
        return self.share("rank")

    @property
    def clocked(self) -> bool:
        """Whether the clock ended any of the attacks: a rerun need not give their scores."""
        return bool(self.values["clock"].any())

    def p(self, test: str, guarantee: Guarantee) -> float:
        """One-sided p of a test, see `GAIN`; 1 where there is too little to say."""
        if self.corrected is not None:
            return self.corrected[test]
        return self.alone(test, guarantee)

    def alone(self, test: str, guarantee: Guarantee) -> float:
        """The same, were this the only setting."""
        if test == GAIN:
            if not self.is_enough:
                return 1.0
            gains = self.gains[np.isfinite(self.gains)]
            return max(float(flipped_p(gains[None])[0]), self.interval_p)
        found, total = self.named, guarantee.candidates
        if not found.known or not total:
            return 1.0
        rate = 1 / total if test == NAMES else guarantee.top1
        return float(binom.sf(found.hits - 1, found.n, rate))
