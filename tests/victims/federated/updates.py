"""Updates of participants, for tests of what is done with them."""

from __future__ import annotations

from tests.conftest import random_gradients


def one(seed=0):
    return {k: g[0] for k, g in random_gradients(batch=1, seed=seed).items()}
