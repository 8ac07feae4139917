"""Records of training runs: what accuracy a defense leaves, pooled over seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from reports.estimates import Estimate
from reports.panels.panel import Panel
from reports.panels.setting import Setting
from reports.panels.variant import Variant
from reports.records.training import TrainingRecord


@dataclass(frozen=True)
class Trained:
    """Runs that differ in the seed alone.

    Attributes:
        anchor: names its row within the page.
        runs: at least one.
        accuracy: mean over the runs; its interval covers seeds and test examples.
    """

    anchor: str
    runs: tuple[TrainingRecord, ...]
    accuracy: Estimate

    @property
    def variant(self) -> Variant:
        """The defense that all runs were trained with."""
        return Variant(self.runs[0].facts["defense"], self.runs[0].options)

    @property
    def label(self) -> str:
        """Defense and options, for people."""
        return self.variant.label


def pool_runs(runs: Sequence[TrainingRecord], start: str = "") -> list[Trained]:
    """Group runs by everything but the seed, best accuracy first."""
    groups: dict[str, list[TrainingRecord]] = {}
    for run in runs:
        groups.setdefault(json.dumps(run.facts, sort_keys=True), []).append(run)
    found = [
        Trained(
            f"{start}training-{turn}",
            tuple(group),
            accuracy_over_seeds([run.accuracy for run in group]),
        )
        for turn, group in enumerate(groups.values(), 1)
    ]
    return sorted(found, key=lambda t: (str(t.runs[0].facts["data"]), -t.accuracy.mean))


def match(panel: Panel, trained: Sequence[Trained]) -> list[tuple[Setting, Trained]]:
    """Pair settings with the training runs of the same data, model, defense and options.

    A run that fits several settings of the panel, because its Record does not name the options
    that tell them apart, is paired with none; so is a setting that several runs fit.
    """
    here = [
        t for t in trained if all(t.runs[0].facts[n] == panel.facts[n] for n in ("data", "model"))
    ]
    attacked = [s for s in panel.settings if s.estimate("adaptive", "psnr").known]
    fits = {(s.anchor, t.anchor) for s in attacked for t in here if t.variant.fits(s.variant)}
    return [
        (s, t)
        for s in attacked
        for t in here
        if (s.anchor, t.anchor) in fits
        and sum(a == s.anchor for a, _ in fits) == 1
        and sum(b == t.anchor for _, b in fits) == 1
    ]


def accuracy_costs(panel: Panel, trained: Sequence[Trained]) -> dict[str, Estimate]:
    """Setting -> accuracy lost against no defense, in percentage points, where both were trained.

    The interval adds both runs' errors as if independent; they share their test examples, so it
    is too wide rather than too narrow.
    """
    pairs = match(panel, trained)
    bare = next((t.accuracy for s, t in pairs if not s.defended), None)
    if bare is None:
        return {}
    found = {}
    for setting, run in pairs:
        if not setting.defended:
            continue
        kept = run.accuracy
        lost = bare.mean - kept.mean
        below = math.hypot(bare.mean - bare.low, kept.high - kept.mean)
        above = math.hypot(bare.high - bare.mean, kept.mean - kept.low)
        ends = (100 * (lost - below), 100 * (lost + above))
        found[setting.anchor] = Estimate(100 * lost, *ends, n=min(bare.n, kept.n))
    return found


def accuracy_over_seeds(runs: Sequence[Estimate]) -> Estimate:
    """Mean over seeds; seeds share their test examples, so the binomial part does not shrink.

    Args:
        runs: the accuracy of each seed over ``n`` tests, at least one.
    """
    if len(runs) == 1:
        return runs[0]
    means = np.array([one.mean for one in runs])
    mean = float(means.mean())
    test = mean * (1 - mean) / max(1, min(one.n for one in runs))
    seeds = float(means.std(ddof=1)) / math.sqrt(len(means))
    # Of few seeds the spread is itself uncertain: Student's quantile, not the normal one.
    freedom = len(means) - 1
    reach = math.hypot(norm.ppf(0.975) * math.sqrt(test), student.ppf(0.975, freedom) * seeds)
    return Estimate(mean, max(0.0, mean - reach), min(1.0, mean + reach), len(runs))
