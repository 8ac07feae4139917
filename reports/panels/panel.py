"""A panel of comparable settings and what its numbers show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from scipy.stats import binom

from reports.estimates import NOTHING, Estimate, pool
from reports.estimates.intervals import ANYWHERE, FEWEST, LEVEL, Values, p_above_zero
from reports.estimates.signs import flipped_p
from reports.evidence.control import CANNOT_JUDGE, NO_CONTROL, UNDEFENDED, doubt
from reports.panels.variant import Variant
from reports.records.find import Source
from reports.records.inversion import Guarantee
from reports.scores import SCORES

FALSE = "the guarantee is false"
LEAKS = "leaks"
NAMED = "not rebuilt, but named"
NOT_SHOWN = "nothing beyond guessing shown"
UNKNOWN = "too few images to say"
UNSCORED = "no truth to compare with"
ALPHA = (1 - LEVEL) / 2
"""One-sided, and of all settings of a panel together: so often something is said that is not so."""
ASTRAY = "the naive attacker finds more: the defense's replay does not explain its releases"
GAIN, NAMES, EXCEEDS = "gain", "named", "exceeds"
"""Tests of a column: PSNR above guessing, the right image named more often than by chance, and
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

    @property
    def gains(self) -> Values:
        """(N,) PSNR above the prior's, in dB, paired by image; NaN where one is missing."""
        found: Values = self.values["psnr"] - self.values["prior"]
        return found

    @cached_property
    def gain(self) -> Estimate:
        """Mean and interval of `gains`."""
        return pool(self.gains, self.seeds)

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
            known = np.isfinite(self.gains)
            gains, seeds = self.gains[known], self.seeds[known]
            if len(gains) < FEWEST:
                return 1.0
            return max(float(flipped_p(gains[None])[0]), p_above_zero(gains, seeds))
        found, total = self.named, guarantee.candidates
        if not found.known or not total:
            return 1.0
        rate = 1 / total if test == NAMES else guarantee.top1
        return float(binom.sf(found.hits - 1, found.n, rate))


@dataclass(frozen=True)
class Setting:
    """A defense at its options, attacked.

    Attributes:
        anchor: names its row within the page.
        defense: its name.
        guarantee: what theory says, options included.
        scores: attacker -> its scores, of ``adaptive`` and ``naive`` those that were run.
        sources: the Records that its numbers are from.
        label: for people; unique within the panel.
        rounds: of a scheduled defense, every round that was attacked; else nothing.
        control: whether the attack rebuilds the panel's undefended updates, see
            `reports.evidence.control`.
    """

    anchor: str
    defense: str
    guarantee: Guarantee
    scores: dict[str, PooledScores]
    sources: tuple[Source, ...]
    label: str
    rounds: tuple[Setting, ...] = ()
    control: str = NO_CONTROL

    @property
    def variant(self) -> Variant:
        """The defense at its options."""
        return Variant(self.defense, self.guarantee.options)

    def option(self, name: str) -> float | None:
        """The value of a numeric option; None when the defense has none of this name."""
        value = self.guarantee.options.get(name)
        return None if value is None or isinstance(value, bool | str) else float(value)

    @property
    def judged(self) -> PooledScores | None:
        """The scores that the verdict is about: the adaptive attacker's when there are any."""
        return self.scores.get("adaptive", self.scores.get("naive"))

    def estimate(self, attacker: str, name: str) -> Estimate:
        """See `PooledScores.estimate`; nothing where the attacker was not run."""
        return self.scores[attacker].estimate(name) if attacker in self.scores else NOTHING

    @property
    def gain(self) -> Estimate:
        """Adaptive PSNR above guessing, dB, paired by image."""
        return self.scores["adaptive"].gain if "adaptive" in self.scores else NOTHING

    @property
    def named(self) -> Estimate:
        """Share of images that the adaptive attacker names at the first try."""
        return self.scores["adaptive"].named if "adaptive" in self.scores else NOTHING

    def shows(self, test: str, attacker: str = "") -> bool:
        """Whether a test of the attacker who is judged, or of the one named, comes out."""
        found = self.scores.get(attacker) if attacker else self.judged
        return found is not None and found.p(test, self.guarantee) < ALPHA

    @property
    def verdict(self) -> str:
        """What the attack shows: against the guarantee, then against guessing, image by image,
        then in the candidate game. No verdict says that a setting is safe, and an attack that
        fails without a defense too gives none."""
        if self.shows(EXCEEDS):
            return FALSE
        if self.shows(GAIN):
            return LEAKS
        if self.shows(NAMES):
            return NAMED
        column = self.judged
        if column is None or not column.gain.known:
            return UNSCORED
        if column.gain.n < FEWEST:
            return UNKNOWN
        return CANNOT_JUDGE if self.doubt else NOT_SHOWN

    @property
    def doubt(self) -> str:
        """Why finding nothing here is no evidence; empty where it is some."""
        column = self.judged
        clocked = column is not None and column.clocked
        naive = self.defense != UNDEFENDED and "adaptive" not in self.scores
        return doubt(self.control, clocked, naive) or (ASTRAY if self.astray else "")

    @property
    def astray(self) -> bool:
        """Whether the naive attacker shows what the one who should know more does not: the
        defense's replay does not explain its releases, and misleads who follows it."""
        if not {"adaptive", "naive"} <= self.scores.keys():
            return False
        naive, own = self.scores["naive"], self.scores["adaptive"]
        more = {GAIN: naive.gain.mean > own.gain.mean, NAMES: naive.named.mean > own.named.mean}
        return any(self.shows(t, "naive") and not self.shows(t) and more[t] for t in more)

    @property
    def misleads(self) -> bool:
        """Whether the naive attacker shows nothing where the adaptive one leaks."""
        naive = self.scores.get("naive")
        enough = naive is not None and naive.gain.n >= FEWEST
        naive_shows_leak = self.shows(GAIN, "naive")
        adaptive_shows_leak = self.shows(GAIN, "adaptive")
        return enough and adaptive_shows_leak and not naive_shows_leak


@dataclass
class Panel:
    """Settings that differ in the defense alone.

    Attributes:
        anchor: names it within the page.
        facts: scenario fields that all its Records share.
        title: for people; unique within the page.
        settings: in a fixed order, from no defense to much.
        prior: a unit's scores of the best guess without the release; None without a truth.
        sources: all its Records.
        notes: what was left out while pooling, a line each.
    """

    anchor: str
    facts: dict[str, Any]
    title: str
    settings: list[Setting]
    prior: PooledScores | None
    sources: list[Source]
    notes: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Private images per seed."""
        return int(self.facts["images"])

    def guess(self, score: str) -> Estimate:
        """The prior's mean and interval."""
        return NOTHING if self.prior is None else self.prior.estimate(score)
