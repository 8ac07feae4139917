"""Chooses by the time of a few steps how the models of a Scenario lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import Candidates
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.obstacles import obstacle
from attacks.membership.shadows.train import make_trainer, set_layout
from reports.commands.clock import now
from victims.training import Training

PROBED = 3
"""Steps timed of each layout, after one that warms up."""
GROUP = {"cpu": 4, "cuda": 16}
"""Shadow models that train together. On a CPU more gain little and leave cores without a group."""


def groups(scenario: Scenario, layout: str, device: str) -> list[list[int]]:
    """Numbers of the models that train at the same time; the target is always alone.

    They follow from the Scenario, the layout and the kind of device, not from how many processes
    there are, since the last bits depend on who trains together.
    """
    size = GROUP["cuda" if device.startswith("cuda") else "cpu"] if layout == "together" else 1
    last = scenario.shadows + 1
    return [[0], *(list(range(a, min(a + size, last))) for a in range(1, last, size))]


def choose(
    scenario: Scenario, shared: Training, candidates: Candidates, device: str
) -> dict[str, Any]:
    """The layout that the Scenario names or, for ``auto``, the one whose steps take least time.

    Returns:
        ``layout``; ``seconds_per_step`` of one model in each layout that was tried; ``alone``, why
        the shadows cannot train together, where that was asked and is so.
    """
    how: dict[str, Any] = {"layout": scenario.layout, "seconds_per_step": {}}
    if scenario.layout not in ("auto", "together"):
        return how
    models = groups(scenario, "together", device)[1]
    trainers = [make_trainer(scenario, shared, candidates, m, device) for m in models]
    why = obstacle(trainers)
    if why:
        how["alone"] = why
    if scenario.layout == "together":
        return how | {"layout": "plain" if why else "together"}
    spent: dict[str, float] = how["seconds_per_step"]
    if not why:
        spent["together"] = _seconds(Lockstep(trainers).advance, device) / len(models)
    convolutions = any(isinstance(m, nn.Conv2d) for m in trainers[0].net.modules())
    del trainers
    for layout in ("plain", "channels-last") if convolutions else ("plain",):
        target = make_trainer(scenario, shared, candidates, 0, device)
        set_layout(target, layout)
        spent[layout] = _seconds(target.advance, device)
    return how | {"layout": min(spent, key=lambda k: spent[k])}


def describe_layout(how: dict[str, Any]) -> str:
    """One line that says in which layout the models were trained, and why in this one."""
    text = f"layout {how['layout']}"
    if how["seconds_per_step"]:
        each = (f"{k} {1000 * v:.3g}" for k, v in how["seconds_per_step"].items())
        text += f"; ms per model and step: {', '.join(each)}"
    return text + (f"; models train one after another: {how['alone']}" if "alone" in how else "")


def _seconds(advance: Callable[[], Any], device: str) -> float:
    """Seconds of a step, mean of `PROBED` after one that warms up."""
    advance()
    began = now(device)
    for _ in range(PROBED):
        advance()
    return (now(device) - began) / PROBED
