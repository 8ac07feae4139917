from __future__ import annotations

import pytest
import torch

from attacks.invert.peeling.demix import demix
from tests.conftest import seeded


def arrays(batch, zeros=0.4):
    draw = seeded(batch)
    values = torch.rand(600, batch, generator=draw, dtype=torch.float64)
    off = torch.rand(600, batch, generator=draw) < zeros
    return torch.where(off, 0.0, values)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_mixed_arrays_are_found_up_to_scale_and_order(batch):
    true = arrays(batch)
    mixing = torch.randn(batch, batch, generator=seeded(9), dtype=torch.float64)
    found = demix(true @ mixing, generator=seeded())
    cosine = (true / true.norm(dim=0)).T @ (found / found.norm(dim=0))
    assert torch.allclose(cosine.amax(1), torch.ones(batch, dtype=torch.float64), atol=1e-9)
    assert sorted(cosine.argmax(1).tolist()) == list(range(batch))
    assert torch.equal(found, demix(true @ mixing, generator=seeded()))


def test_arrays_without_zeros_cannot_be_told_apart(monkeypatch):
    monkeypatch.setattr("attacks.invert.peeling.demix.DRAWS", 3)
    assert demix(arrays(2, zeros=0.0) + 0.1, generator=seeded()) is None
