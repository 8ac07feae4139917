"""The private step against the number of images in it."""

from __future__ import annotations

from functools import partial

from leakgauge.growth.axis import Act, Axis
from victims.bench.contenders import PLAIN, prepare

MODEL = "dpcnn"


def _step(name: str, size: int, seed: int) -> Act:
    return prepare(name, MODEL, size, "cpu", seed)


BATCH = Axis(
    label="images in a batch",
    sizes=(1, 4, 16, 64, 256),
    measured=f"private step, {MODEL}, 32x32 pixels",
    floor="plain SGD",
    prepare=partial(_step, "ours dpsgd"),
    prepare_floor=partial(_step, PLAIN),
)
