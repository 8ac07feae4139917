"""Layers that are clipped apart."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat


def test_layers_are_clipped_apart_and_together_stay_within_the_norm():
    names = {"1.weight": (40, 30), "1.bias": (40,), "2.weight": (5, 6), "free": (7,)}
    draw = seeded()
    grads = {k: 100 * torch.randn(1, *s, generator=draw) for k, s in names.items()}
    shield = configured("perlayer", clip=3.0, noise_multiplier=0.0)
    update = shield.release(grads, generator=seeded()).update
    layers = [("1.weight", "1.bias"), ("2.weight",), ("free",)]
    for layer in layers:  # one module's parameters together
        assert float(flat({k: update[k] for k in layer}).norm()) == pytest.approx(math.sqrt(3))
    assert float(flat(update).norm()) == pytest.approx(3.0)
    # With one layer it is DP-SGD.
    single = random_gradients()
    ours, plain = (configured(n).release(single, generator=seeded()) for n in ("perlayer", "dpsgd"))
    assert torch.equal(flat(ours.update), flat(plain.update))
