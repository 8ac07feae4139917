"""Rules for layers, one kind of layer a file: a new one is a file and a line here."""

from attacks.invert.peeling.rules import (
    addition,
    arithmetic,
    averaging,
    batch_norm,
    concatenation,
    convolution,
    group_norm,
    identity,
    linear,
    max_pool,
    relu,
    reshape,
)

__all__ = [
    "addition",
    "arithmetic",
    "averaging",
    "batch_norm",
    "concatenation",
    "convolution",
    "group_norm",
    "identity",
    "linear",
    "max_pool",
    "relu",
    "reshape",
]
