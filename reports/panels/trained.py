"""Records of training runs: what accuracy a defense leaves, pooled over seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from reports.estimates.pooling import Estimate
from reports.panels.labels import name_option, same_option, show_option
from reports.panels.panel import Setting
from reports.records.checks import epsilon, mapping, number, share, text, whole
from reports.records.find import Source
from reports.records.inversion import Option


@dataclass(frozen=True)
class Run:
    """One training Record, checked.

    Attributes:
        source: where it is from.
        facts: scenario fields but the seed.
        options: of the defense, as far as the Record says them.
        accuracy: on the test split, with its binomial interval; ``count`` test examples.
        guess: accuracy of always naming the most frequent class; NaN when not told.
        epsilons: accountant -> epsilon of the whole run, infinite when nothing is guaranteed.
        delta: of them.
        holds: whether the accountants' assumptions are true of the run.
    """

    source: Source
    facts: dict[str, Any]
    options: dict[str, Option]
    accuracy: Estimate
    guess: float
    epsilons: dict[str, float]
    delta: float
    holds: bool


@dataclass(frozen=True)
class Trained:
    """Runs that differ in the seed alone.

    Attributes:
        anchor: names its row within the page.
        runs: at least one.
        accuracy: mean over the runs; its interval covers seeds and test examples.
    """

    anchor: str
    runs: tuple[Run, ...]
    accuracy: Estimate

    @property
    def label(self) -> str:
        """Defense and options, for people."""
        told = [f"{name_option(n)} {show_option(v)}" for n, v in self.runs[0].options.items()]
        return f"{self.runs[0].facts['defense']} {', '.join(told)}".rstrip()

    def fits(self, setting: Setting) -> bool:
        """Whether both are one defense and agree on every option that both name."""
        other, own = setting.guarantee.options, self.runs[0].options
        same = all(same_option(own[n], other[n]) for n in own.keys() & other.keys())
        return same and setting.defense == self.runs[0].facts["defense"]


def is_training(source: Source) -> bool:
    """Whether a Record says to be of this kind."""
    return "accuracy" in source.record.summary


def parse(source: Source) -> Run:
    """Check and convert.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    record, facts = source.record, source.record.scenario
    for name in ("data", "model", "defense"):
        text(facts.get(name), f"scenario.{name}")
    found = mapping(record.summary["accuracy"], "summary.accuracy")
    mean, low, high = (
        share(found.get(k), f"summary.accuracy.{k}") for k in ("mean", "low", "high")
    )
    options: dict[str, Option] = {}
    for name, value in mapping(facts.get("defense_options", {}), "defense_options").items():
        if isinstance(value, bool | int | float):
            number(float(value), f"defense_options.{name}")
        if isinstance(value, bool | int | float | str):
            options[name] = value
    noise = record.bounds.get("noise_multiplier")
    if noise is not None:
        options["noise_multiplier"] = number(noise, "bounds.noise_multiplier")
    spent = mapping(record.bounds.get("epsilon", {}), "bounds.epsilon")
    guess = record.baseline.get("accuracy")
    return Run(
        source,
        {k: v for k, v in facts.items() if k != "seed"},
        options,
        Estimate(mean, low, high, whole(found.get("n", 0), "summary.accuracy.n")),
        math.nan if guess is None else share(guess, "baseline.accuracy"),
        {name: epsilon(value, f"bounds.epsilon.{name}") for name, value in spent.items()},
        share(record.bounds.get("delta", 0), "bounds.delta"),
        record.bounds.get("holds", True) is True,
    )


def pool_runs(runs: Sequence[Run], start: str = "") -> list[Trained]:
    """Group runs by everything but the seed, best accuracy first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(run.facts, sort_keys=True), []).append(run)
    found = [
        Trained(f"{start}training-{turn}", tuple(group), _accuracy(group))
        for turn, group in enumerate(groups.values(), 1)
    ]
    return sorted(found, key=lambda t: (str(t.runs[0].facts["data"]), -t.accuracy.mean))


def _accuracy(group: Sequence[Run]) -> Estimate:
    """Mean over seeds; seeds share their test examples, so the binomial part does not shrink."""
    if len(group) == 1:
        return group[0].accuracy
    means = np.array([r.accuracy.mean for r in group])
    mean = float(means.mean())
    test = mean * (1 - mean) / max(1, min(r.accuracy.count for r in group))
    seeds = float(means.std(ddof=1)) / math.sqrt(len(means))
    # Of few seeds the spread is itself uncertain: Student's quantile, not the normal one.
    freedom = len(means) - 1
    reach = math.hypot(norm.ppf(0.975) * math.sqrt(test), student.ppf(0.975, freedom) * seeds)
    return Estimate(mean, max(0.0, mean - reach), min(1.0, mean + reach), len(group))
