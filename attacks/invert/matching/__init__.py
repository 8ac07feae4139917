"""What the inversion attacks by optimisation share; the rule of all of them is in `objective`."""

from importlib import import_module
from typing import Any

PLACES = {
    "candidate_gradients": "gradients",
    "energy": "objective",
    "is_explained": "fit",
    "noise_std": "objective",
    "residual": "objective",
    "support": "objective",
}
"""Public name -> the file that has it."""
__all__ = list(PLACES)


def __getattr__(name: str) -> Any:
    # On demand: the contract of attacks imports the clock from beside it.
    if name in PLACES:
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module 'attacks.invert.matching' has no attribute {name!r}")
