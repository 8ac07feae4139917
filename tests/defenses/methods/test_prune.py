"""Pruning keeps the largest of each layer."""

from __future__ import annotations

from tests.conftest import configured, random_gradients, seeded


def test_pruning_is_per_layer_where_topk_is_not():
    grads = random_gradients()
    grads["bias"] *= 1e-3
    kept = {
        name: {k: int((v != 0).sum()) for k, v in release.update.items()}
        for name in ("prune", "topk")
        for release in [configured(name, rate=0.9).release(grads, generator=seeded())]
    }
    assert kept["prune"] == {"weight": 120, "bias": 4}
    assert kept["topk"] == {"weight": 124, "bias": 0}
