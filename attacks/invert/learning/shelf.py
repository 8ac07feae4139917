"""Maps that an earlier run has learned, on disk where a folder is given for them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from defenses import Defense
from reports.records import atomic
from victims.gradients.ordinary import ordinary

FORMAT = "leakgauge-lesson-1"
PLACE = "LEAKGAUGE_LESSONS"
"""Names the folder in the environment; without it nothing is kept, for a map of a large model has
hundreds of MiB."""


def place_of(key: str, model: nn.Module, defense: Defense) -> Path | None:
    """The file of a map; None where no folder is given, or what was learned from is not all told.

    The key holds weights, images and options, and not the code of a model or a defense of a
    user's own, which may change between two runs.

    Args:
        key: see `attacks.invert.learning.lessons.lesson_key`.
        model: the victim's.
        defense: that was replayed.
    """
    folder = os.environ.get(PLACE)
    own = ordinary(model) and type(defense).__module__.partition(".")[0] == "defenses"
    if not folder or not own:
        return None
    name = hashlib.sha256(f"{FORMAT} {key}".encode()).hexdigest()[:40]
    return Path(folder) / f"{name}.safetensors"


def read(path: Path | None, names: tuple[str, ...], device: torch.device) -> list[Tensor] | None:
    """The tensors of these names from a file; None where there is none, or no such one."""
    if path is None or not path.is_file():
        return None
    try:
        found = load_file(path, device=str(device))
    except (SafetensorError, OSError):
        return None
    return [found[name] for name in names] if found.keys() == set(names) else None


def write(path: Path | None, tensors: dict[str, Tensor]) -> None:
    """Keep tensors in a file, whole or not at all; nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file({k: v.contiguous() for k, v in tensors.items()}, scratch, {"format": FORMAT})
