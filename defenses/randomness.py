"""Explicit generators: one stream per purpose, so that the same seed gives the same record."""

from __future__ import annotations

import hashlib
import json

import torch


def stream(seed: int, *names: object) -> torch.Generator:
    """A CPU generator for one purpose, independent of every other purpose under the same seed."""
    text = json.dumps([seed, *map(str, names)])
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    return torch.Generator().manual_seed(number)


def child(generator: torch.Generator) -> torch.Generator:
    """A new CPU generator seeded from ``generator``, for a stream that must stay apart."""
    seed = torch.randint(2**62, (1,), generator=generator)
    return torch.Generator().manual_seed(int(seed))
