"""The private step against the number of parameters."""

from __future__ import annotations

from functools import partial

from torch import nn

import defenses
from leakgauge.growth.axis import Act, Axis
from victims.bench.contenders import PLAIN, draw_examples, prepare_net

IMAGES, PIXELS, CLASSES = 16, 3072, 10


def _step(name: str, size: int, seed: int) -> Act:
    draw = defenses.stream(seed, "growth")
    width = max(1, round(size / (PIXELS + 1 + CLASSES)))
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(PIXELS, width), nn.ReLU(), nn.Linear(width, CLASSES)
    )
    return prepare_net(name, net, *draw_examples(IMAGES, 32, "cpu", draw), draw)


PARAMETERS = Axis(
    label="parameters",
    sizes=(10**4, 10**5, 10**6, 10**7, 10**8),
    measured=f"private step, two linear layers, batch {IMAGES}",
    floor="plain SGD",
    prepare=partial(_step, "ours dpsgd"),
    prepare_floor=partial(_step, PLAIN),
)
