"""How long an attack on heads is going to take on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attacks.invert.heads.decoder import train_decoder
from attacks.invert.heads.load import Stage
from attacks.invert.heads.seek import seek
from defenses import stream
from reports.commands.clock import seconds_of_call
from victims.transfer.cost import seconds_of as fit_seconds

FEW = 5
"""Steps of a decoder that are tried."""
LONG = 1.0
"""Seconds of a fit from which no whole image is tried: fits are what takes the time."""


def seconds_of(stage: Stage, names: Sequence[str]) -> float:
    """Seconds that all columns take, by one image of the last and a few steps of a decoder.

    What is tried is thrown away; the streams that the attack draws from are untouched.

    Args:
        stage: what is played.
        names: the columns.
    """
    scenario, images = stage.scenario, len(names) * stage.scenario.images
    sought = fit_seconds(stage.plan.method, stage.known, images)
    if sought < LONG * images:
        seek(stage, names[-1], 0)  # whatever is imported or laid out at first
        sought = images * seconds_of_call(lambda: seek(stage, names[-1], 0))
    begun, tried = (seconds_of_call(partial(_learn, stage, steps)) for steps in (0, FEW))
    step = max(0.0, tried - begun) / FEW
    return sought + len(names) * (begun + scenario.iterations * step)


def _learn(stage: Stage, steps: int) -> None:
    draw = stream(stage.scenario.seed, "cost")
    train_decoder(stage.public, stage.images, 1.0, steps, draw)
