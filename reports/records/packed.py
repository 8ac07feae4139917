"""Tensors and facts in one safetensors file of a format of our own, never unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput
from reports.records.files import atomic

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading facts that somebody else has written may raise."""


def write_packed(
    path: Path, form: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Path:
    """Write a file; a kill leaves the one that was there.

    Args:
        path: of the file, in a folder that is made where it is missing.
        form: the name of its format.
        facts: that JSON holds.
        tensors: by name.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {k: v.contiguous() for k, v in tensors.items()}
    with atomic(path) as scratch:
        save_file(whole, scratch, {"format": form, "facts": json.dumps(facts)})
    return path


def read_packed(path: Path, form: str, noun: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts and the tensors of a file that `write_packed` has written.

    Args:
        path: of the file.
        form: the name of its format.
        noun: what such a file is, for messages.

    Raises:
        BadInput: the file is missing, truncated, damaged, or of another format.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            if about.get("format") != form:
                raise BadInput(f"{path} is no {noun} ({form})")
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  (not a dict)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path} is not a readable {noun}: {error}") from error
    try:
        return dict(json.loads(about["facts"])), tensors
    except DAMAGE as error:
        raise BadInput(f"{path} holds a damaged {noun}: {error}") from error
