"""Records of inversions: how close guesses came to private images, and what theory allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

import numpy as np

from reports.estimates import Estimate
from reports.estimates.intervals import Values
from reports.records.checks import (
    epsilon,
    estimate,
    mapping,
    number,
    number_or_nan,
    sequence,
    share,
    text,
    whole_number,
)
from reports.records.column import Column
from reports.records.explained import Explained
from reports.records.find import Source
from reports.records.form import Count, Number, Share, Size, check_form
from reports.records.options import MAIN, Option
from reports.records.record import Record
from reports.records.rounds import Round, RoundDocument, part_column
from reports.records.rounds import parse as parse_round
from reports.records.scored import Decibel, Distance, Means, PriorRow, Similarity
from reports.scores import SCORES

KIND = "inversion"
OBSERVATION = "observation"
"""Kind of an attack on an update that was captured elsewhere: its rows have no scores."""
OPTIONAL = ("rank", "fisher_psnr")
APART = ("defense", "defense_options", "against", "columns", "moments", "seed", "epsilon")
"""Scenario fields in which the Records of one panel may differ."""


class Guessed(TypedDict):
    """What one guess came to.

    Attributes:
        attack: that made it; of an attack that chooses, the one chosen.
        psnr: dB; None where a score could not be had.
        ssim: in [-1, 1]; None where it could not be had.
        lpips: lower is closer; None where it could not be had.
        iterations: of the attack's optimiser.
        stopped: why it ended: ``time`` where the clock cut it short.
        note: what the attack says of its guess; missing where it says nothing.
        label: the private image's class; missing where nobody knows it.
        label_found: the class that the attack found.
        seconds: per image; missing where it was not measured.
        evaluations: gradients taken per image.
        practice: gradients taken on other images before, per image.
        wire_bytes: of the release.
        rank: place of the private image among the candidates, 1 where it was named first; None
            where that game was not played.
        fisher_psnr: dB, that no unbiased guess exceeds; None where theory says nothing.
    """

    attack: str
    psnr: Decibel | None
    ssim: Similarity | None
    lpips: Distance | None
    iterations: Count
    stopped: str
    note: NotRequired[str]
    label: NotRequired[int]
    label_found: int
    seconds: NotRequired[Size]
    evaluations: Count
    practice: Count
    wire_bytes: Count
    rank: NotRequired[Number | None]
    fisher_psnr: NotRequired[float | None]


class Row(Guessed):
    """A guess at one image from one release, as ``rows`` holds it.

    Attributes:
        image: its number among the private images, from 0.
        defense: of the release; a round that does not count has a name of its own (`rounds.other`).
        adaptive: whether the attacker replays the defense.
        round: of a scheduled defense, step of the nominal run at which it was attacked.
        rate: share of the gradient dropped at that step; None: the defense has no rate.
    """

    image: Count
    defense: str
    adaptive: bool
    round: NotRequired[Count]
    rate: NotRequired[Share | None]


class Dropped(TypedDict):
    """How many images the adversary has, and how many equal a private one and were dropped."""

    images: Count
    dropped: Count


class Baseline(TypedDict):
    """Guesses made without a release, as ``baseline`` holds them; empty without a known truth.

    Attributes:
        mean_image: what the mean of the adversary's images comes to.
        nearest_auxiliary: what the nearest of them does.
        shown: the name of the better one.
        rows: the scores of the better one, image by image.
        auxiliary: what the adversary's images are.
        explained: of a captured update, how much of it is explained, and by what; missing of
            others, and where a defense acts before the gradient.
    """

    mean_image: NotRequired[Means]
    nearest_auxiliary: NotRequired[Means]
    shown: NotRequired[str]
    rows: NotRequired[list[PriorRow]]
    auxiliary: NotRequired[Dropped]
    explained: NotRequired[Explained]


class Bounds(TypedDict):
    """What theory says of one release, as ``bounds`` holds it by defense.

    Attributes:
        options: of the defense; numbers, switches and texts.
        epsilon: of one release; None: nothing is guaranteed.
        delta: of that epsilon.
        top1_of_1000: no attack names the right one of 1,000 candidates more often.
        candidates: of the game that was played; None: none was.
        top1: no attack names the right one of so many candidates more often.
        round: of a scheduled defense, the round that counts (`Round.document`).
        replay: of a defense from elsewhere, what is wrong with its replay of made-up releases, in
            words; empty where it explains them. Missing where nobody looked.
    """

    options: dict[str, Option]
    epsilon: Size | None
    delta: Share
    top1_of_1000: Share
    candidates: Number | None
    top1: Share | None
    round: NotRequired[RoundDocument]
    replay: NotRequired[str]


class Form(TypedDict):
    """The parts of a Record of this kind that hold numbers."""

    rows: list[Row]
    summary: dict[str, Means]
    baseline: Baseline
    bounds: dict[str, Bounds]


@dataclass(frozen=True)
class Guarantee:
    """What theory says of one release under a defense.

    Attributes:
        options: of the defense, numbers and switches.
        epsilon: infinite when nothing is guaranteed.
        delta: of that epsilon.
        candidates: how many the bound ``top1`` is about; 0 when the Record does not say.
        top1: no attack names the right candidate more often; 1 without a guarantee.
        round: of a scheduled defense, the one that was attacked and counts; else None.
        replay: what is wrong with its replay, see `Bounds`; empty where nothing is known to be.
    """

    options: dict[str, Option]
    epsilon: float
    delta: float
    candidates: int
    top1: float
    round: Round | None = None
    replay: str = ""


@dataclass(frozen=True)
class Scores:
    """Per image, (n,) each; NaN where a score could not be had.

    ``values`` holds psnr (dB), ssim, lpips, rank (1: named), fisher_psnr (dB), label (1 found,
    0 not) and clock (1 when the attacker ran out of time).
    """

    images: np.ndarray[Any, np.dtype[np.int64]]
    values: dict[str, Values]


@dataclass(frozen=True)
class InversionRecord:
    """One Record of kind inversion.

    Attributes:
        source: where it is from.
        panel: scenario fields that every Record of its panel shares.
        seed: of the scenario.
        asked: the defense under study; the others were attacked beside it.
        columns: the scores of every column; of a scheduled defense those of the round that
            counts.
        rounds: the same for its other rounds, by names of `reports.records.rounds.other`.
        prior: scores of the best guess without the release; None when there is none.
        guarantees: defense -> what holds for it.
        means: column, those of other rounds too -> score -> its mean, as the summary has it; what
            the summary does not tell is missing.
        guess: how the best guess without the release was made; empty where there is none.
        guess_means: score -> its mean over these guesses.
    """

    source: Source
    panel: dict[str, Any]
    seed: int
    asked: str
    columns: dict[Column, Scores]
    prior: Scores | None
    guarantees: dict[str, Guarantee]
    rounds: dict[Column, Scores]
    means: dict[Column, dict[str, Estimate]]
    guess: str
    guess_means: dict[str, Estimate]


def rows_of(record: Record) -> dict[Column, list[Row]]:
    """The rows that a study wrote, by column, each in the order of the Record."""
    found: dict[Column, list[Row]] = {}
    for row in cast("list[Row]", record.rows):
        found.setdefault(Column.of_row(row), []).append(row)
    return found


def is_cut_short(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the clock ended one of the attacks, so that a rerun need not come to the same."""
    return any(row.get("stopped") == "time" for row in rows)


def prior_rows(record: Record) -> list[PriorRow]:
    """The scores of the best guesses without the release, as a study wrote them."""
    return cast("list[PriorRow]", record.baseline["rows"])


def psnr_of(row: Guessed | PriorRow) -> float:
    """PSNR in dB of a row that a study wrote: the truth is known, so that there is one."""
    psnr = row["psnr"]
    assert psnr is not None
    return psnr


def parse(record: Record, source: Source | None = None) -> InversionRecord:
    """The Record, checked and converted.

    Args:
        record: of kind `KIND` or `OBSERVATION`.
        source: where it lies; None where it lies nowhere yet.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    facts = record.scenario
    for name in ("attack", "data", "model", "state", "defense"):
        text(facts.get(name), f"scenario.{name}")
    if not 0 < whole_number(facts.get("images"), "scenario.images") < 10**7:
        raise ValueError("scenario.images is out of range")
    rows: dict[Column, list[Mapping[str, Any]]] = {}
    for index, row in enumerate(record.rows):
        text(mapping(row, f"rows[{index}]").get("defense"), f"rows[{index}].defense")
        if not isinstance(row.get("adaptive"), bool):
            raise ValueError(f"rows[{index}].adaptive is neither true nor false")
        rows.setdefault(Column.of_row(row), []).append(row)
    others = {c: rows.pop(c) for c in list(rows) if part_column(c.defense)[1] is not None}
    if not rows:
        raise ValueError("there are no rows")
    guarantees = {
        name: _guarantee(mapping(bound, f"bounds.{name}"), f"bounds.{name}")
        for name, bound in record.bounds.items()
    }
    for name, _ in (*rows, *others):
        if name not in guarantees:
            raise ValueError(f"rows are about {name!r:.80}, which bounds do not list")
    prior = sequence(record.baseline.get("rows", []), "baseline.rows")
    guess = text(record.baseline.get("shown", ""), "baseline.shown")
    found = InversionRecord(
        source=source or Source(record),
        # A field at None says as much as one that an older version did not have.
        panel={k: v for k, v in facts.items() if k not in APART and v is not None},
        seed=whole_number(facts.get("seed"), "scenario.seed"),
        asked=text(facts.get("defense"), "scenario.defense"),
        columns={column: _scores(found, "rows") for column, found in rows.items()},
        prior=_scores(prior, "baseline.rows") if prior else None,
        guarantees=guarantees,
        rounds={column: _scores(found, "rows") for column, found in others.items()},
        means={c: _means(record.summary.get(c.key, {}), "summary") for c in (*rows, *others)},
        guess=guess,
        guess_means=_means(record.baseline.get(guess, {}), f"baseline.{guess}"),
    )
    check_form(record.parts(), Form)
    _check_sizes(record, guarantees)
    return found


def _check_sizes(record: Record, guarantees: Mapping[str, Guarantee]) -> None:
    """Raise ValueError where rows are of more images or candidates than there are."""
    if (record.kind == OBSERVATION) is not ("observation" in record.scenario):
        raise ValueError(f"a Record of kind {record.kind} is of no such scenario")
    for row in record.rows:
        if record.kind == OBSERVATION:
            known = "truth" in record.scenario
            if not known and any(row.get(name) is not None for name in SCORES):
                raise ValueError("rows have scores, though nobody knows the truth")
        elif row["image"] >= record.scenario["images"]:
            raise ValueError(f"rows.image is {row['image']}; there are {record.scenario['images']}")
        most = guarantees[row["defense"]].candidates
        if "candidates" in record.bounds[row["defense"]] and (row.get("rank") or 0) > most:
            raise ValueError(f"rows.rank is {row['rank']}, of {most} candidates")


def _means(value: Any, what: str) -> dict[str, Estimate]:
    found = mapping(value, what)
    return {name: estimate(found[name], f"{what}.{name}") for name in SCORES if name in found}


def _guarantee(bound: dict[str, Any], what: str) -> Guarantee:
    options = mapping(bound.get("options", {}), f"{what}.options")
    for name, value in options.items():
        if name in MAIN or not isinstance(value, bool | str):
            number(value, f"{what}.options.{name}")
    candidates, top1 = bound.get("candidates"), bound.get("top1")
    if candidates is None or top1 is None:  # no game was played, as in all Records of 0.1
        candidates, top1 = 1000, bound.get("top1_of_1000", 1.0)
    return Guarantee(
        options=options,
        epsilon=epsilon(bound.get("epsilon"), f"{what}.epsilon"),
        delta=share(bound.get("delta"), f"{what}.delta"),
        candidates=whole_number(candidates, f"{what}.candidates"),
        top1=share(top1, f"{what}.top1"),
        round=parse_round(bound.get("round"), f"{what}.round"),
        replay=text(bound.get("replay", ""), f"{what}.replay"),
    )


def _scores(rows: Sequence[Any], what: str) -> Scores:
    """(n,) arrays of rows, sorted by image."""
    found = sorted(
        (mapping(r, what) for r in rows),
        key=lambda r: whole_number(r.get("image"), f"{what}.image"),
    )
    images = np.array([r["image"] for r in found], dtype=np.int64)
    if len(np.unique(images)) != len(images):
        raise ValueError(f"{what} hold one image twice")
    values = {
        name: np.array([number_or_nan(r.get(name), f"{what}.{name}") for r in found])
        for name in (*SCORES, *OPTIONAL)
    }
    told = [(r.get("label"), r.get("label_found")) for r in found]
    values["label"] = np.array([np.nan if None in pair else pair[0] == pair[1] for pair in told])
    values["clock"] = np.array([float(r.get("stopped") == "time") for r in found])
    return Scores(images, values)
