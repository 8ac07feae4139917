"""Where a number came from: versions, machine, threads, seed, date."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

PACKAGES = ("leakgauge", "torch", "torchvision", "opacus", "lpips", "scipy", "numpy")


def environment(*, seed: int, device: str) -> dict[str, Any]:
    """Facts that go into every Record; none of them decides a result on a CPU."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    if device.startswith("cuda"):
        machine += f", {torch.cuda.get_device_name(device)}"
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    threads = torch.get_num_threads()
    return {
        "versions": versions,
        "machine": machine,
        "device": device,
        "threads": threads,
        "seed": seed,
        "date": now,
    }
