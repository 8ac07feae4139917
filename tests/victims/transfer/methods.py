"""The methods, small."""

from __future__ import annotations

import victims.transfer
from victims.transfer import Method

SMALL = {
    "dp-adam": {"steps": 3},
    "dp-fc": {"steps": 3},
    "dp-gd": {"steps": 3},
    "dp-lamb": {"steps": 3},
    "dp-ls": {},
    "dp-newton": {},
    "dp-sgd": {"steps": 3, "batch_size": 20},
}
OTHERS = [
    ("dp-ls", {"per_class": True}),
    ("dp-newton", {"steps": 2}),
    ("dp-sgd", {"steps": 3, "batch_size": 20, "clip": 0.25}),
]


def small() -> list[Method]:
    """Every registered method, and those of their options that release something else."""
    known = [(name, SMALL.get(name, {})) for name in victims.transfer.names()]
    return [victims.transfer.get(name, **options) for name, options in [*known, *OTHERS]]
