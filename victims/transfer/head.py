"""Writes a head as a file, and reads one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from defenses import BadInput
from reports.records import Record
from reports.records.packed import read_packed, write_packed

NAME = "head.safetensors"
FORMAT = "leakgauge-head-1"


def write_head(head: Tensor, record: Record, folder: Path) -> Path:
    """Write a head (L, d) and beside it how it was made and what it promises. Returns the path."""
    facts = {"scenario": record.scenario, "bounds": record.bounds}
    return write_packed(folder / NAME, FORMAT, facts, {"weight": head.float()})


def read_head(path: Path) -> tuple[Tensor, dict[str, Any]]:
    """A head (L, d) float32 and its facts, ``scenario`` and ``bounds``; nothing is unpickled.

    Its logits of an image are W x, with x the backbone's features scaled to norm 1.

    Raises:
        BadInput: the file is missing, damaged, or no head.
    """
    facts, tensors = read_packed(path, FORMAT, "head")
    weight = tensors.get("weight")
    if weight is None or weight.ndim != 2 or not bool(torch.isfinite(weight).all()):
        raise BadInput(f"{path} holds no finite matrix (classes, features)")
    return weight, facts
