"""Counters decay, and grow where something was uploaded."""

from __future__ import annotations

import torch

from victims.federated.counters import count, no_counts


def test_counters_decay_and_grow_where_something_was_uploaded():
    counters = no_counts({"w": torch.zeros(3)})
    for sent in ([1.0, 0, 0], [1.0, -2, 0]):
        counters = count(counters, {"w": torch.tensor(sent)}, decay=0.5)
    assert counters["w"].tolist() == [1.5, 1.0, 0.0]
