"""A page against the Records on it."""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from functools import partial
from pathlib import Path

import attacks
from leakgauge.growth.axis import Act, Axis
from reports import build, records
from reports.records import Record

SEEDS, RATES, NOISES = 3, 19, 10
MODELS = ("linear", "mlp", "lenet", "lenet5", "convnet", "resnet20-4")
"""Of the settings on the page: the same few guesses under as many names."""


def _page(size: int, seed: int) -> Act:
    folder = _folder(size, seed)
    return partial(build.main, [str(folder), "--out", str(folder.parent / "report")])


def _read(size: int, seed: int) -> Act:
    """Their documents alone."""
    files = sorted(_folder(size, seed).glob("*/result.json"))
    return lambda: [json.loads(file.read_text()) for file in files]


def _folder(size: int, seed: int) -> Path:
    """A folder of so many Records, made of one, which stays until the process ends."""
    scenario = attacks.Scenario(
        data="digits",
        model="linear",
        defense="dprs",
        defense_options={"rate": 0.9, "cooling": False},
        images=8,
        against=("none",),
        evaluations=10,
        seed=seed,
    )
    record = attacks.run(scenario)
    scratch = tempfile.TemporaryDirectory(prefix="leakgauge-growth-")
    _kept.append(scratch)
    folder = Path(scratch.name) / "records"
    for turn in range(size):
        records.write(_renamed(record, turn), folder / f"{turn:05d}")
    return folder


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _renamed(record: Record, turn: int) -> Record:
    """The Record, as if of another seed, rate, noise or model."""
    place, seed = divmod(turn, SEEDS)
    panel, place = divmod(place, RATES * NOISES)
    noise, rate = divmod(place, RATES)
    options = {
        "rate": round(0.05 * (1 + rate), 2),
        "noise_multiplier": round(0.01 * (1 + noise), 2),
    }
    scenario, bounds = copy.deepcopy(record.scenario), copy.deepcopy(dict(record.bounds))
    scenario |= {"seed": seed, "model": MODELS[panel]}
    scenario["defense_options"] |= options
    bounds["dprs"]["options"] |= options
    return dataclasses.replace(record, scenario=scenario, bounds=bounds)


RECORDS = Axis(
    label="Records on a page",
    sizes=(10, 100, 1000, 3000),
    measured="page and PDF",
    floor="reading the files",
    prepare=_page,
    prepare_floor=_read,
)
