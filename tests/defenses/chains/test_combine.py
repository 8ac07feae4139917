"""Chains of defenses."""

from __future__ import annotations

import math

import pytest
import torch

import defenses
from defenses import BadInput
from tests.conftest import random_gradients, seeded


def test_the_guarantee_is_that_of_what_clips_and_noises():
    at = {"steps": 10, "sample_rate": 0.1, "delta": 1e-5}
    alone = defenses.get("dpsgd", noise_multiplier=1.0)
    for name in ("dpsgd+ats", "dpsgd+precode", "dpsgd+ats+precode"):
        chain = defenses.get(name, noise_multiplier=1.0)
        assert chain.epsilon(**at) == alone.epsilon(**at)
        same = (d.release(random_gradients(), generator=seeded()) for d in (chain, alone))
        one, other = same
        assert all(torch.equal(one.update[k], other.update[k]) for k in one.update)
    assert defenses.get("ats+quantize").epsilon(**at) == math.inf
    with pytest.raises(BadInput, match="'dpsgd' cannot follow another"):
        defenses.get("ats+dpsgd")
