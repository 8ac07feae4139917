"""Holds what `attacks.membership.bench` times ready in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import Candidates
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.obstacles import obstacle
from attacks.membership.shadows.train import make_trainer, set_layout
from defenses import BadInput, stream
from reports.commands.clock import now
from reports.commands.workers import prepare_process
from victims.data import Data
from victims.gradients.memory import keep_memory
from victims.training import Training

BASELINE = "one after another"
CONTENDERS = ("plain", "channels-last", "together")
BATCH, MEMBERS, CLASSES = 64, 1000, 10
NOISE: dict[str, dict[str, Any]] = {
    "none": {},
    "dpsgd": {"noise_multiplier": 1.0},
    "dprs": {"noise_multiplier": 1.0, "rate": 0.9, "cooling": False},
}
"""Options of each defense; a mask that cools down would be dense for a whole epoch."""


@dataclass(frozen=True)
class Setting:
    """One line of the table.

    Attributes:
        model: see `victims.load_model`.
        defense: one of `NOISE`.
        device: cpu or cuda.
        size: how many models train together.
        seed: the seed of images, labels, members and models.
    """

    model: str
    defense: str
    device: str
    size: int
    seed: int


_ready: dict[str, tuple[Callable[[], Any], int]] = {}
"""Contender -> how its models take a step, and how many models these are."""


def begin() -> None:
    """Set up a new process."""
    prepare_process(1)
    keep_memory()


def prepare(setting: Setting, name: str, threads: int) -> str:
    """Build a contender's models in this process and warm up. Returns why it is not run, or ""."""
    torch.set_num_threads(threads)
    _ready.pop(name, None)
    options = NOISE[setting.defense]
    training = Training(
        model=setting.model,
        defense=setting.defense,
        defense_options=options,
        count=MEMBERS,
        batch_size=BATCH,
        epochs=100,
        lr=0.01,
    )
    scenario = Scenario(training, shadows=2 * setting.size, seed=setting.seed)
    count = setting.size if name == "together" else 1
    candidates = _candidates(setting.size, setting.seed)
    try:
        trainers = [
            make_trainer(scenario, training, candidates, 1 + i, setting.device)
            for i in range(count)
        ]
    except BadInput as error:
        return f"cannot: {error}"
    convolves = any(isinstance(m, nn.Conv2d) for m in trainers[0].net.modules())
    if name == "channels-last" and not convolves:
        return "as plain: no convolution"
    why = obstacle(trainers) if name == "together" else ""
    if why:
        return f"cannot: {why}"
    set_layout(trainers[0], name)
    act = Lockstep(trainers).advance if name == "together" else trainers[0].advance
    act()
    _ready[name] = act, count
    return ""


def run(setting: Setting, name: str, steps: int) -> int:
    """Take about ``steps`` steps of models; returns how many it were."""
    act, count = _ready[name]
    times = max(1, round(steps / count))
    for _ in range(times):
        act()
    now(setting.device)  # a GPU may still be at it
    return times * count


@lru_cache(maxsize=1)
def _candidates(size: int, seed: int) -> Candidates:
    """Random images, and the members of each model."""
    draw = stream(seed, "bench")
    total = 2 * MEMBERS
    pool = Data(
        torch.rand(total, 3, 32, 32, generator=draw),
        torch.randint(CLASSES, (total,), generator=draw),
        CLASSES,
        tuple(map(str, range(CLASSES))),
    )
    members = torch.zeros(1 + size, total, dtype=torch.bool)
    for row in members:
        row[torch.randperm(total, generator=draw)[:MEMBERS]] = True
    return Candidates(pool, pool.take(torch.arange(CLASSES)), members)
