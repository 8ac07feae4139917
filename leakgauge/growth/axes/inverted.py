"""An iteration of an inversion against the edge of the image."""

from __future__ import annotations

from functools import partial

import defenses
from attacks.invert.bench import prepare_iteration
from leakgauge.growth.axis import Act, Axis
from victims.bench.contenders import draw_examples

MODEL, CLASSES = "resnet18", 10


def _prepare(which: int, size: int, seed: int) -> Act:
    images, labels = draw_examples(1, size, "cpu", defenses.stream(seed, "growth"))
    return prepare_iteration(MODEL, images, labels, CLASSES, seed)[which]


INVERTED = Axis(
    label="edge of the attacked image in pixels",
    sizes=(32, 64, 128, 224),
    measured=f"iteration of gradient matching, {MODEL}",
    floor="forward and backward",
    prepare=partial(_prepare, 0),
    prepare_floor=partial(_prepare, 1),
)
