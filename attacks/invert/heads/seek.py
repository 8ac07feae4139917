"""Seeks one example: fits a head beside it, names it and finds its features in the releases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from attacks.invert.heads.features import Found, from_gradients, from_gramians
from attacks.invert.heads.load import Stage
from attacks.invert.heads.residue import Residue, rank
from defenses import stream
from victims.training.streams import Repeatable
from victims.transfer import Gaussian
from victims.transfer.mechanism import count_use

CONTROL = "none"
"""Name of the column without noise, the positive control."""
FEATURES: dict[str, Callable[[Residue, Tensor], Found]] = {
    "gradients": from_gradients,
    "gramians": from_gramians,
}


class Sought(NamedTuple):
    """What became of one example: its features, its place among the candidates (None where the
    game is not played), and the bytes that the fit released."""

    found: Found
    rank: int | None
    wire_bytes: int


def seek(stage: Stage, name: str, image: int) -> Sought:
    """Fit a head beside one of the sought examples, and seek it in what was released.

    Args:
        stage: what is played.
        name: the column: `CONTROL`, or the method, whose noise is added then.
        image: the position of the sought example.
    """
    mechanism = _fit(stage, name, image)
    residue = Residue.of(stage.plan.method, stage.known, mechanism.seen)
    start = stage.public.double().mean(0)
    found = FEATURES[stage.scenario.see](residue, start)
    return Sought(found, _place(stage, residue, name, image), mechanism.wire_bytes)


def _fit(stage: Stage, name: str, image: int) -> Gaussian:
    """Everything that one fit releases, of the known examples and a sought one."""
    known, plan = stage.known, stage.plan
    joined = dataclasses.replace(
        known,
        features=torch.cat([known.features, stage.sought[image : image + 1]]),
        labels=torch.cat([known.labels, stage.labels[image : image + 1]]),
    )
    noise = 0.0 if name == CONTROL else plan.noise
    draw = Repeatable(stage.scenario.seed, f"invert {stage.key} {image}")
    with count_use(Gaussian(noise, draw, keep=True), plan.releases, plan.sample_rate) as mechanism:
        plan.method.fit(joined, mechanism)
    return mechanism


def _place(stage: Stage, residue: Residue, name: str, image: int) -> int | None:
    """The place of the sought one among the candidates; None where the game is not played."""
    scenario = stage.scenario
    if scenario.candidates == 1:
        return None
    index = [image, *range(scenario.images, scenario.images + scenario.candidates - 1)]
    draw = stream(scenario.seed, "ties", name, image)
    return rank(residue, stage.sought[index], stage.labels[index].tolist(), generator=draw)
