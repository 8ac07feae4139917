"""Where a number came from: versions, machine, threads, seed, date."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
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


def environment_line(facts: Mapping[str, Any], packages: Sequence[str] = ("torch",)) -> str:
    """``seed 0; Linux x86_64, 2 CPUs, 1 threads; torch 2.9.0; 2026-01-31``, for a table of numbers.

    Args:
        facts: from `environment`.
        packages: whose versions count.
    """
    versions = ", ".join(f"{name} {facts['versions'][name]}" for name in packages)
    machine = f"{facts['machine']}, {facts['threads']} threads"
    return f"seed {facts['seed']}; {machine}; {versions}; {facts['date'][:10]}"
