"""Features of private images: computed once, in pieces that a kill leaves, and found again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from defenses.foreign import import_object
from defenses.sources import source_digest
from reports.commands.clock import now
from reports.commands.progress import Report, expect, unwatched
from reports.records import atomic
from victims.training.streams import content_of
from victims.transfer.backbones import Backbone
from victims.transfer.backbones.load import is_own

FORMAT = "leakgauge-features-1"
PIECE = 2048
"""Images whose features lie in one file: a run that was killed loses no more."""


def store(folder: Path | None = None) -> Path:
    """Where features are kept: the folder, or ``$LEAKGAUGE_FEATURES``, or below ~/.cache."""
    told = os.environ.get("LEAKGAUGE_FEATURES")
    return folder or Path(told or Path.home() / ".cache/leakgauge/features")


def features_of(
    backbone: Backbone,
    images: Tensor,
    *,
    folder: Path,
    device: str = "cpu",
    report: Report = unwatched,
) -> Tensor:
    """Features of images, from files where they were computed before.

    Args:
        backbone: frozen.
        images: (N, C, H, W) in [0, 1].
        folder: where features are kept; what depends on weights, code, transform or a pixel lies
            in a folder of its own. They tell as much as the images: only the owner may read it.
        device: where they are computed.
        report: called after each batch with the images done and N.

    Returns:
        (N, d) float32 on the CPU. One that is NaN or infinite is told to nobody, see
        `victims.transfer.contract.bound_rows`.
    """
    place = folder / key_of(backbone, images)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    dim = backbone.features(images[:1], device).shape[1]
    places = [place / _file(start) for start in range(0, len(images), PIECE)]
    lacking = sum(not path.exists() for path in places) * min(PIECE, len(images))
    expect(report, lambda: lacking * _seconds(backbone, images, device))
    found = torch.empty(len(images), dim)  # filled in place: torch.cat would need the memory twice
    for start in range(0, len(images), PIECE):
        part = images[start : start + PIECE]
        path = place / _file(start)
        piece = _read(path, (len(part), dim))
        if piece is None:
            piece = _compute(backbone, part, device, start, len(images), report)
            with atomic(path) as scratch:
                save_file({"features": piece}, scratch, {"format": FORMAT})
        found[start : start + len(part)] = piece
    return found


def _file(start: int) -> str:
    return f"features-{start:08d}.safetensors"


def _seconds(backbone: Backbone, images: Tensor, device: str) -> float:
    """Seconds that the features of one image take."""
    tried = images[: backbone.batch]
    began = now(device)
    backbone.features(tried, device)
    return (now(device) - began) / len(tried)


def key_of(backbone: Backbone, images: Tensor) -> str:
    """40 hex digits that change with weights, code, transform and any pixel."""
    facts = {
        "format": FORMAT,
        "name": backbone.name,
        "transform": backbone.transform,
        "layers": repr(backbone.module),
        "weights": content_of(dict(backbone.module.state_dict())),
        "code": code_of(backbone),
        "images": content_of(images),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


def code_of(backbone: Backbone) -> str:
    """Hex digits of the code of a user's own backbone; empty for one of this project's names."""
    if not is_own(backbone.name):
        return ""
    return source_digest(import_object(backbone.name, "backbone"))


def _read(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """A piece of a shape from a file, or None where it is missing or no such piece."""
    try:
        piece: Tensor = load_file(path)["features"]
    except (OSError, SafetensorError, KeyError):
        return None
    return piece if piece.shape == shape and piece.dtype == torch.float32 else None


def _compute(
    backbone: Backbone, images: Tensor, device: str, done: int, total: int, report: Report
) -> Tensor:
    """(n, d) features of a piece of the images, of which ``done`` came before."""
    rows = []
    for part in images.split(backbone.batch):
        rows.append(backbone.features(part, device))
        done += len(part)
        report("computing features", done, total)
    return torch.cat(rows)
