"""The parameters updated most are downloaded."""

from __future__ import annotations

import torch

from victims.federated.download import most_updated, overwrite


def test_the_parameters_updated_most_are_downloaded():
    counters = {"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([[2.0, 0.0]])}
    mask = most_updated(counters, 0.5)
    assert mask["a"].tolist() == [True, False]
    assert mask["b"].tolist() == [[True, False]]
    mixed = overwrite({k: v * 0 for k, v in counters.items()}, counters, mask)
    assert mixed["a"].tolist() == [3.0, 0.0]
    assert all(bool(m.all()) for m in most_updated(counters, 1.0).values())
