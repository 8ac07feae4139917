"""The registered membership attacks, one a file; importing them registers them."""

from attacks.membership.methods import (
    calibrated,
    entropy,
    lira,
    loss,
    quantile,
    rmia,
    shokri,
)

__all__ = [
    "calibrated",
    "entropy",
    "lira",
    "loss",
    "quantile",
    "rmia",
    "shokri",
]
