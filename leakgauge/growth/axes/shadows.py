"""A step of all shadow models against how many there are."""

from __future__ import annotations

from functools import partial

from attacks.membership.bench.contenders import BASELINE, Setting, prepare, run
from defenses import BadInput
from leakgauge.growth.axis import Act, Axis

MODEL = "lenet5"


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
    prepare=partial(_prepare, "together"),
    prepare_floor=partial(_prepare, BASELINE),
)
