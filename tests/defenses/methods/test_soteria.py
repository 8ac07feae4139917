"""Soteria leaves out what features give away most."""

from __future__ import annotations

import pytest
import torch

from defenses import BadInput
from tests.conftest import configured, seeded
from tests.defenses.updates import mean_of


class TestSoteria:
    def test_the_largest_features_lose_their_columns_and_all_else_stays(self, digit):
        model, private, grads, _ = digit
        release = configured("soteria", rate=0.75).release(grads, generator=seeded())
        true = mean_of(grads)
        layer = next(k for k, v in true.items() if v.ndim == 2)
        body = model[1][:-1]
        features = body(model[0](private.images))[0].detach()
        gone = ~(release.update[layer] != 0).any(0)
        assert int(gone.sum()) == int(0.75 * len(features))
        assert float(features[gone].abs().min()) >= float(features[~gone].abs().max())
        assert torch.equal(release.update[layer][:, ~gone], true[layer][:, ~gone])
        assert all(torch.equal(release.update[k], v) for k, v in true.items() if k != layer)
        dense = 4 * sum(v.numel() for v in true.values())
        assert release.wire_bytes < dense - 4 * 10 * int(gone.sum()) + 100

    def test_the_layer_can_be_named(self):
        grads = {"a.weight": torch.randn(1, 5, 10), "b.weight": torch.randn(1, 3, 5)}
        release = configured("soteria", rate=0.6, layer="a").release(grads, generator=seeded())
        assert int((~(release.update["a.weight"] != 0).any(0)).sum()) == 6
        assert bool(release.update["b.weight"].all())
        with pytest.raises(BadInput, match=r"no linear layer 'c'; there is a, b"):
            configured("soteria", layer="c").release(grads, generator=seeded())
        with pytest.raises(BadInput, match="no linear layer 'at all'; there is none"):
            configured("soteria").release({"w": torch.randn(1, 4)}, generator=seeded())
