"""Noise that cannot be drawn again: for deployments, where a seed would be a key to the data."""

from __future__ import annotations

import math
import os
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from defenses.randomness import stream


class SecretGenerator(torch.Generator):
    """A CPU generator in a state that nothing written down leads to.

    Its normal numbers do not come from that state: whoever sees some outputs of a Mersenne
    Twister, where the gradient is known to be zero, say, computes the others. See `normal`.

    Args:
        entropy: bytes of the operating system's, at least 16.
    """

    def __new__(cls, entropy: bytes) -> SecretGenerator:
        """A CPU generator; ``entropy`` is no device."""
        return super().__new__(cls)

    def __init__(self, entropy: bytes) -> None:
        if len(entropy) < 16:
            raise ValueError(f"{len(entropy)} bytes key no secret generator; it takes >= 16")
        self.set_state(stream(int.from_bytes(entropy, "big"), "secret").get_state())

    def __reduce__(self) -> NoReturn:
        """Raise: a copy would tell the noise."""
        raise TypeError("a secret generator is not stored")


def normal(shape: torch.Size, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of a shape, on the CPU.

    Of a `SecretGenerator` every one is made of 128 bits of the operating system's own generator,
    in double precision (Box and Muller 1958), before it is rounded to ``dtype``.
    """
    if not isinstance(generator, SecretGenerator):
        return torch.randn(shape, generator=generator, dtype=dtype)
    count = math.prod(shape)
    drawn = np.frombuffer(os.urandom(16 * count), "<u8").reshape(2, count) >> np.uint64(11)
    radius, turn = (torch.from_numpy((part + 0.5) * 2.0**-53) for part in drawn)
    found = (-2 * radius.log()).sqrt() * (2 * math.pi * turn).cos()
    return found.reshape(shape).to(dtype)
