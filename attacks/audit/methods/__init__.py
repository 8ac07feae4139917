"""The registered auditors, one a file; importing them registers them."""

from attacks.audit.methods import (
    gdp,
    one_run,
    one_run_fdp,
    threshold,
)

__all__ = [
    "gdp",
    "one_run",
    "one_run_fdp",
    "threshold",
]
