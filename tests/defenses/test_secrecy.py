"""Noise that nobody can draw again."""

from __future__ import annotations

import torch

from defenses.gradients import add_noise
from defenses.secrecy import SecretGenerator
from tests.conftest import seeded


def test_its_noise_leaves_no_number_out():
    """A product with a rounded number misses a share of the numbers above a power of 2."""
    std = 1.5
    for generator, share in ((seeded(0), 1.0), (SecretGenerator(bytes(16)), 0.95)):
        found = add_noise({"a": torch.zeros(20_000)}, std, generator)["a"]
        near = (found / std)[:, None] * (1 + torch.arange(-2, 3) * 2.0**-24)
        product = (near * std == found[:, None]).any(1).double().mean()
        assert product == 1 if share == 1 else 0.3 < product < share
