"""Batches: Poisson and shuffled."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import seeded
from victims.training.sampling import poisson_batch, shuffled_batch


def test_poisson_batches_have_the_rate_and_are_independent():
    draws = [poisson_batch(1000, 0.05, seeded(s)) for s in range(200)]
    sizes = torch.tensor([len(d) for d in draws], dtype=torch.float64)
    assert float(sizes.mean()) == pytest.approx(50, abs=5 * math.sqrt(47.5 / 200))
    assert float(sizes.var()) == pytest.approx(47.5, rel=5 * math.sqrt(2 / 200))


def test_shuffled_batches_see_every_example_once_per_epoch():
    epoch = torch.cat([shuffled_batch(100, 20, step, seeded) for step in range(5)])
    assert epoch.sort().values.equal(torch.arange(100))
    assert not shuffled_batch(100, 20, 0, seeded).equal(shuffled_batch(100, 20, 5, seeded))
