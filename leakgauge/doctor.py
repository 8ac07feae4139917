"""``leakgauge doctor``: what is found on this machine, on one screen."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from leakgauge import rooms
from leakgauge.glance import load

PROG = "leakgauge doctor"
EXTRAS = ("flwr", "ray", "timm", "transformers", "datasets")
"""Packages that some flags need and that are not installed with this one."""
LIE_IN = {
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "svhn": "test_32x32.mat",
}
"""Data set -> what torchvision keeps of it below the root."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    flags = load("reports.commands.flags:Parser")
    parser = flags(prog=PROG, description=__doc__, allow_abbrev=False)
    parser.add_argument("--data-root", help=load("reports.commands.flags:DATA_ROOT"))
    text = "download the weights of LPIPS where they are not here (otherwise nothing is)"
    parser.add_argument("--fetch", action="store_true", help=text)
    parsed: argparse.Namespace = parser.parse_args(argv)
    return parsed


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is there; returns the exit code."""
    arguments = parse(argv)
    facts = {**_versions(), **_machine(), **_data(arguments.data_root), **_weights(arguments.fetch)}
    width = max(map(len, facts)) + 2
    for name, text in facts.items():
        print(f"{name:{width}}{text}")
    return 0


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    def said(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    needed = load("reports.records.environment:PACKAGES")
    return {
        "leakgauge": f"{said('leakgauge')} in {rooms.HOME}",
        "python": f"{platform.python_version()}, {platform.platform()}",
        "packages": ", ".join(f"{p} {said(p)}" for p in needed if p != "leakgauge"),
        "extras": ", ".join(f"{p} {said(p)}" for p in EXTRAS),
        "names": _names(),
    }


def _names() -> str:
    hidden = [r for r in rooms.ROOMS if (Path(r).is_dir() and not Path(r, "__init__.py").exists())]
    if hidden:
        return (
            f"the folder {hidden[0]} here has no __init__.py, so that Python imports ours for it; "
            "an empty one makes it yours"
        )
    apart = ", ".join(sorted(rooms.apart()))
    if apart:
        return f"import {apart} gives another project's here; ours are leakgauge.NAME"
    places = {place for room in rooms.ROOMS if (place := rooms.place_of(room))}
    copies = sorted({str(place.parent) for place in places} - {str(rooms.HOME)})
    ours = f"import {', '.join(rooms.ROOMS)} gives ours"
    return f"{ours}, of the copy in {', '.join(copies)}" if copies else ours


def _machine() -> dict[str, str]:
    import torch

    device = "cpu"
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        device = f"{torch.cuda.get_device_name()}, {free >> 30} of {total >> 30} GiB free"
    left = shutil.disk_usage(Path.cwd()).free >> 30
    return {
        "device": device,
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} CPUs",
        "disk": f"{left} GiB free in {Path.cwd()}",
    }


def _data(given: str | None) -> dict[str, str]:
    root = load("victims.data.load:data_root")(given)
    found = [s for s in LIE_IN if (root / LIE_IN[s]).exists() or (root / f"{s}.zip").exists()]
    there = ", ".join(found) or "no others"
    return {"data": f"photos, digits; {root} holds {there}; the rest is downloaded"}


def _weights(fetch: bool) -> dict[str, str]:
    try:
        load("reports.scores.alexnet:network")(fetch=fetch)
    except Exception as error:  # whatever keeps them away is what the user wants to read
        told = "none: " if fetch else "not here; the first LPIPS fetches them, --fetch does now: "
        return {"LPIPS weights": f"{told}{' '.join(str(error).split())[:300]}"}
    return {"LPIPS weights": "found and verified"}
