"""The plan of a sweep against its Scenarios."""

from __future__ import annotations

from functools import partial

from leakgauge.growth.axis import Act, Axis
from reports.records.keyed import key_of
from reports.sweep.combine import cross

RATES = 10


def _flags(size: int, seed: int) -> dict[str, list[str]]:
    return {
        "--data": ["digits"],
        "--defense": ["dprs"],
        "--rate": [f"0.{turn}" for turn in range(RATES)],
        "--seed": [str(seed + turn) for turn in range(size // RATES)],
    }


def _plan(size: int, seed: int) -> Act:
    return partial(cross, "attacks.invert", _flags(size, seed))


def _name(size: int, seed: int) -> Act:
    """The names of their folders alone."""
    fields = cross("attacks.invert", _flags(RATES, seed))[0].scenario
    return lambda: [key_of({**fields, "seed": turn}) for turn in range(size)]


SCENARIOS = Axis(
    label="Scenarios of a sweep",
    sizes=(10, 100, 1000, 10**4),
    measured="planned",
    floor="their digests",
    prepare=_plan,
    prepare_floor=_name,
)
