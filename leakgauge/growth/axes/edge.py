"""The private step against the edge of the images."""

from __future__ import annotations

from functools import partial

from leakgauge.growth.axis import Act, Axis
from victims.bench.contenders import PLAIN, prepare

MODEL, IMAGES = "resnet18-gn", 8


def _step(name: str, size: int, seed: int) -> Act:
    return prepare(name, MODEL, IMAGES, "cpu", seed, edge=size)


EDGE = Axis(
    label="edge of the images in pixels",
    sizes=(32, 64, 128, 224),
    measured=f"private step, {MODEL}, batch {IMAGES}",
    floor="plain SGD",
    prepare=partial(_step, "ours dpsgd"),
    prepare_floor=partial(_step, PLAIN),
)
