"""Records of training runs: what accuracy a defense leaves, and what epsilon it spends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

from reports.estimates import Estimate
from reports.records.checks import (
    epsilon,
    mapping,
    number,
    required_field,
    share,
    text,
    whole_number,
)
from reports.records.find import Source
from reports.records.form import Count, Number, Ordered, Share, ShareOf, Size, check_form
from reports.records.options import Option
from reports.records.record import Record

KIND = "training"
INTERVAL = Ordered(("low", "accuracy", "high"))
"""Of the fields of a row."""


class Row(TypedDict):
    """An epoch, as ``rows`` holds it.

    Attributes:
        epoch: its number, from 1.
        step: releases so far.
        accuracy: on the test split, in [0, 1].
        low: lower end of the accuracy's 95% Wilson interval.
        high: upper end of that interval.
        epsilon: spent so far; None: nothing is guaranteed.
        holds: whether the accountant's assumptions are true of the run.
        rate: share of the gradient dropped at the last step; None: the defense has no rate.
        wire_bytes: sent so far.
    """

    epoch: Number
    step: Count
    accuracy: Share
    low: Share
    high: Share
    epsilon: Size | None
    holds: bool
    rate: Share | None
    wire_bytes: Count


class Round(Row):
    """A round of a federated training, see `victims.federated`; ``step`` counts uploads taken.

    Attributes:
        rejected: uploads that were not taken so far.
        staleness: mean number of others' uploads between a download and its upload, so far.
        sent_bytes: sent to participants so far; ``wire_bytes`` came from them.
    """

    rejected: Count
    staleness: Size
    sent_bytes: Count


class RunBounds(TypedDict):
    """What an epsilon of a whole run is about, in the bounds of every Record that states one.

    Attributes:
        delta: of every epsilon of the run.
        steps: releases of the run.
        sample_rate: probability with which a step draws each example.
        assumes: what an accountant assumes of the run, in words.
        holds: whether that is true.
    """

    delta: Share
    steps: Count
    sample_rate: Share
    assumes: str
    holds: bool


class ClaimBounds(RunBounds):
    """Bounds of a training that is attacked or audited.

    Attributes:
        options: of the defense; numbers, switches and texts.
        epsilon: of the whole run; None: nothing is guaranteed.
    """

    options: dict[str, Option]
    epsilon: Size | None


class Bounds(RunBounds):
    """Bounds of a training that is a result of its own.

    Attributes:
        noise_multiplier: the defense's option; None: it has none.
        effective_noise: noise std over the sensitivity of one release; 0: not Gaussian noise.
        epsilon: accountant -> epsilon of the whole run; None: nothing is guaranteed.
        ledger: (effective noise, sample rate, steps) of every run on the same people.
    """

    noise_multiplier: Size | None
    effective_noise: Size
    epsilon: dict[str, Size | None]
    ledger: list[tuple[Size, Share, Count]]


class HeadBounds(Bounds):
    """Bounds of a private head on frozen features, see `victims.transfer`.

    Attributes:
        mu: of all releases, as Gaussian differential privacy; None: no noise, or some sample.
        zcdp: epsilon by the looser conversion of Mehta et al. (2022), to compare; None: no
            noise, or some sample.
    """

    mu: Size | None
    zcdp: Size | None


class OneParticipant(TypedDict):
    """What one participant of a federation sent, and what that spent.

    Attributes:
        participant: its number, from 0.
        uploads: how many it was asked for.
        rejected: reason -> how many of them were not taken.
        epsilon: of whom the guarantee protects, if this one is it; None: nothing is guaranteed.
    """

    participant: Count
    uploads: Count
    rejected: dict[str, Count]
    epsilon: Size | None


class FederatedBounds(Bounds):
    """Bounds of a federated training; ``epsilon`` is the largest of any participant's.

    Attributes:
        unit: whom the guarantee protects, in a word.
        participants: each one's own account.
        per_parameter: epsilon of each uploaded parameter; None: no sparse vector technique.
        per_upload: epsilon of one upload or step; None: nothing is guaranteed.
        added_up: the participants' epsilons added up, which no theorem asks for, since their data
            are apart; None: nothing is guaranteed.
    """

    unit: str
    participants: list[OneParticipant]
    per_parameter: Size | None
    per_upload: Size | None
    added_up: Size | None


class Summary(TypedDict):
    """What the run came to.

    Attributes:
        accuracy: the last epoch's.
        without_noise: of a head, what its method reaches without noise.
        rejected: of a federation, reason -> how many uploads were not taken.
    """

    accuracy: ShareOf
    without_noise: NotRequired[ShareOf]
    rejected: NotRequired[dict[str, Count]]


class Baseline(TypedDict):
    """What always naming the most frequent class comes to."""

    accuracy: NotRequired[Share | None]


class Form(TypedDict):
    """The parts of a Record of this kind that hold numbers."""

    rows: list[Annotated[Row, INTERVAL] | Annotated[Round, INTERVAL]]
    summary: Summary
    baseline: Baseline
    bounds: Bounds | HeadBounds | FederatedBounds


@dataclass(frozen=True)
class TrainingRecord:
    """One training Record, checked.

    Attributes:
        source: where it is from.
        facts: scenario fields but the seed.
        options: of the defense, as far as the Record says them.
        accuracy: on the test split, with its binomial interval; ``n`` counts test examples.
        guess: accuracy of always naming the most frequent class; NaN when not told.
        epsilons: accountant -> epsilon of the whole run, infinite when nothing is guaranteed.
        delta: of these epsilons.
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

    @property
    def epsilon(self) -> float:
        """The least that an accountant proves; infinite where none does or its assumptions fail."""
        return min(self.epsilons.values(), default=math.inf) if self.holds else math.inf


def parse(record: Record, source: Source | None = None) -> TrainingRecord:
    """The Record, checked and converted.

    Args:
        record: of kind `KIND`.
        source: where it lies; None where it lies nowhere yet.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    facts = in_training_words(record.scenario)
    for name in ("data", "model", "defense"):
        text(facts.get(name), f"scenario.{name}")
    found = mapping(record.summary.get("accuracy"), "summary.accuracy")
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
    if spent:
        required_field(record.bounds, "delta", "bounds")
    check_form(record.parts(), Form)
    return TrainingRecord(
        source=source or Source(record),
        facts={k: v for k, v in facts.items() if k != "seed"},
        options=options,
        accuracy=Estimate(mean, low, high, whole_number(found.get("n", 0), "summary.accuracy.n")),
        guess=math.nan if guess is None else share(guess, "baseline.accuracy"),
        epsilons={name: epsilon(value, f"bounds.epsilon.{name}") for name, value in spent.items()},
        delta=share(record.bounds.get("delta", 0), "bounds.delta"),
        holds=record.bounds.get("holds") is True,
    )


def in_training_words(scenario: dict[str, Any]) -> dict[str, Any]:
    """A scenario in a training's words: a head has a method on a backbone."""
    if "method" not in scenario:
        return scenario
    words = {"backbone": "model", "method": "defense", "options": "defense_options"}
    return {words.get(name, name): value for name, value in scenario.items()}
