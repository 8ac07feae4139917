"""What a sweep's Records measured of one model: PSNR by drop rate and by noise, exact pixels."""

from __future__ import annotations

from collections.abc import Sequence

from defenses import BadInput
from reports.charts.psnr_by_drop_rate import Points
from reports.estimates import Median
from reports.records import Record
from reports.records.column import ADAPTIVE, Column
from reports.records.inversion import prior_rows, psnr_of, rows_of
from reports.scores import SCORES

MASKED, NOISY = "dprs", "dpsgd"
"""The defenses of the two studies: coordinates left out, and noise."""
EXACT = 1e-3
"""A pixel that is off by less, a quarter of a grey level, is exact."""


def state_of(record: Record) -> str:
    """Whether the weights are trained: ``trained`` or ``untrained``."""
    return "untrained" if record.scenario["state"] == "untrained" else "trained"


def psnr_by_option(records: Sequence[Record], option: str) -> Points:
    """Median PSNR of the adaptive attacker at each value of an option, over images and seeds.

    Raises:
        BadInput: two Records are about one image under one release.
    """
    scores: dict[float, list[tuple[float, int]]] = {}
    seen: set[tuple[float, int, int]] = set()
    for record in records:
        defense = record.scenario["defense"]
        value = float(record.bounds[defense]["options"][option])
        seed = record.scenario["seed"]
        for row in rows_of(record)[Column(defense, ADAPTIVE)]:
            if (value, seed, row["image"]) in seen:
                raise BadInput(
                    f"two Records have image {row['image']} of {record.scenario['model']} at "
                    f"{option} {value:g}, seed {seed}; give folders that have it once"
                )
            seen.add((value, seed, row["image"]))
            scores.setdefault(value, []).append((psnr_of(row), seed))
    return tuple(
        (value, _median(pairs, SCORES["psnr"].range)) for value, pairs in sorted(scores.items())
    )


def guess_psnr(records: Sequence[Record]) -> Median:
    """Median PSNR of the best guesses without a release, each image of a seed once."""
    seen: dict[tuple[int, int], float] = {}
    for record in records:
        for row in prior_rows(record):
            seen[record.scenario["seed"], row["image"]] = psnr_of(row)
    return _median([(psnr, seed) for (seed, _), psnr in seen.items()], SCORES["psnr"].range)


def exact_pixels(records: Sequence[Record]) -> dict[tuple[str, float], Median]:
    """Median share of pixels found exactly under masks, by (state of the weights, drop rate)."""
    found: dict[tuple[str, float], list[tuple[float, int]]] = {}
    for record in (r for r in records if r.scenario["defense"] == MASKED):
        rate = float(record.bounds[MASKED]["options"]["rate"])
        gap = (record.arrays[Column(MASKED, ADAPTIVE).key] - record.arrays["truth"]).abs()
        shares = (gap < EXACT).flatten(1).double().mean(1).tolist()
        pairs = [(share, record.scenario["seed"]) for share in shares]
        found.setdefault((state_of(record), rate), []).extend(pairs)
    return {key: _median(pairs, (0.0, 1.0)) for key, pairs in sorted(found.items())}


def _median(pairs: Sequence[tuple[float, int]], limits: tuple[float, float]) -> Median:
    """Of pairs of a value and its seed; the values lie within the limits."""
    return Median.of([value for value, _ in pairs], [seed for _, seed in pairs], limits)
