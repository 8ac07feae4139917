"""A clock that waits for the device."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def now(device: str) -> float:
    """Seconds on a clock, when all that the device was given to do is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds_of_call(act: Callable[[], object], device: str = "cpu") -> float:
    """The seconds that a call takes, with all that it gives the device to do."""
    began = now(device)
    act()
    return now(device) - began
