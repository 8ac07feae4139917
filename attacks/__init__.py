"""Attacks on releases, a sub-package per family; `run` joins a Scenario's rooms into a Record.

>>> import attacks
>>> scenario = attacks.Scenario(
...     data="digits", model="linear", images=1, defense="none", against=(), attack="analytic"
... )
>>> record = attacks.run(scenario)
>>> record.summary["none/adaptive"]["psnr"]["mean"]  # dB; 60 is the cap: the image itself
60.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reports.commands.startup import begin

if TYPE_CHECKING:
    from attacks import audit, invert, membership
    from attacks.families import run
    from attacks.invert.scenario import Scenario

__all__ = ["Scenario", "audit", "invert", "membership", "run"]


def __getattr__(name: str) -> Any:
    # On demand: the pytest plugin lies below, and every run of pytest would load torch.
    if name in ("audit", "invert", "membership"):
        return import_module(f"{__name__}.{name}")
    if name == "Scenario":
        return import_module(f"{__name__}.invert.scenario").Scenario
    if name == "run":
        return import_module(f"{__name__}.families").run
    raise AttributeError(f"module 'attacks' has no attribute {name!r}")


begin(__name__)
