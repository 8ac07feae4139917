"""Files that are whole or not there, and tensors as their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def pack(arrays: dict[str, Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file."""
    packed: bytes = save({k: v.detach().cpu().contiguous() for k, v in arrays.items()})
    return packed


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A scratch path beside ``path`` that takes its place when the block ends without an error."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
