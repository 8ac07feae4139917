"""Guess and truth in; scores, Records, figures and pages out.

>>> import torch
>>> import reports
>>> truth = torch.rand(9, 1, 8, 8)
>>> guesses = (truth + 0.1 * torch.randn(truth.shape)).clamp(0, 1)
>>> found = reports.estimates.Estimate.of(reports.scores.psnr(guesses, truth).tolist())
>>> found.low < found.mean < found.high and found.n == 9
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reports.commands.startup import begin

if TYPE_CHECKING:
    from reports import detection, estimates, records, scores
    from reports.records import Record
    from reports.records.load import load

__all__ = ["Record", "detection", "estimates", "load", "records", "scores"]


def __getattr__(name: str) -> Any:
    # On demand: flags are read, and Ctrl-C is met, before torch is imported.
    if name in ("detection", "estimates", "records", "scores"):
        return import_module(f"{__name__}.{name}")
    if name == "Record":
        return import_module(f"{__name__}.records").Record
    if name == "load":
        return import_module(f"{__name__}.records.load").load
    raise AttributeError(f"module 'reports' has no attribute {name!r}")


begin(__name__)
