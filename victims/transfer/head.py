"""Writes a head as a file, and reads one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput
from reports.records import Record, atomic

NAME = "head.safetensors"
FORMAT = "leakgauge-head-1"


def write_head(head: Tensor, record: Record, folder: Path) -> Path:
    """Write a head (L, d) and beside it how it was made and what it promises. Returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"scenario": record.scenario, "bounds": record.bounds}
    with atomic(folder / NAME) as scratch:
        about = {"format": FORMAT, "facts": json.dumps(facts)}
        save_file({"weight": head.float().contiguous()}, scratch, about)
    return folder / NAME


def read_head(path: Path) -> tuple[Tensor, dict[str, Any]]:
    """A head (L, d) float32 and its facts, ``scenario`` and ``bounds``; nothing is unpickled.

    Its logits of an image are W x, with x the backbone's features scaled to norm 1.

    Raises:
        BadInput: the file is missing, damaged, or no head.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise BadInput(f"{path} is no head ({FORMAT})")
            weight: Tensor = file.get_tensor("weight")
        facts = dict(json.loads(about["facts"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} is not a readable head: {error}") from error
    if weight.ndim != 2 or not bool(torch.isfinite(weight).all()):
        raise BadInput(f"{path} holds no finite matrix (classes, features)")
    return weight, facts
