"""A clock that waits for the device."""

from __future__ import annotations

import time

import torch


def now(device: str) -> float:
    """Seconds on a clock, when all that the device was given to do is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()
