"""Memory that is kept."""

from __future__ import annotations

import torch

from victims.gradients import chunk_size, memory


def test_sums_do_not_depend_on_who_keeps_the_memory(monkeypatch):
    sizes = []
    for kept in (False, True):
        monkeypatch.setattr(memory, "_kept", kept)
        sizes.append(chunk_size({"w": torch.empty(1 << 18)}))
    assert sizes == [24, 24]
