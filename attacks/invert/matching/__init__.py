"""What the inversion attacks by optimisation share; the rule of all of them is in `objective`."""

from importlib import import_module
from typing import Any

__all__ = ["candidate_gradients", "energy", "is_explained", "noise_std", "residual", "support"]


def __getattr__(name: str) -> Any:
    # On demand: the contract of attacks imports the clock from beside it.
    if name in __all__:
        return getattr(import_module(f"{__name__}.objective"), name)
    raise AttributeError(f"module 'attacks.invert.matching' has no attribute {name!r}")
