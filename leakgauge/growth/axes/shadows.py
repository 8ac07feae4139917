"""A step of all shadow models against how many there are."""

from __future__ import annotations

from attacks.membership.bench.contenders import BASELINE, Setting, prepare, run
from defenses import BadInput
from leakgauge.growth.axis import Act, Axis

MODEL = "lenet5"


def _together(size: int, seed: int) -> Act:
    return _prepare("together", size, seed)


def _one_by_one(size: int, seed: int) -> Act:
    return _prepare(BASELINE, size, seed)


def _prepare(name: str, size: int, seed: int) -> Act:
    why = prepare(Setting(MODEL, "none", "cpu", size, seed), name, threads=1)
    if why:
        raise BadInput(f"{size} shadow models: {why}")
    return lambda: run(Setting(MODEL, "none", "cpu", size, seed), name, size)


SHADOWS = Axis(
    label="shadow models",
    sizes=(4, 16, 64, 256),
    measured=f"a step of all together, {MODEL}",
    floor="of one, so many times",
    prepare=_together,
    prepare_floor=_one_by_one,
)
