"""Signs alone: what explains them, and what they cost."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat


class TestSign:
    def test_any_gradient_with_the_same_signs_explains_it_and_no_other(self):
        grads = random_gradients(batch=1)
        shield = configured("sign", scale=0.01)
        release = shield.release(grads, generator=seeded())
        assert flat(release.update).abs().unique().tolist() == pytest.approx([0.01])
        stretched = {k: g * (1 + random_gradients(1, seed=4)[k].abs()) for k, g in grads.items()}
        explained = shield.replay(stretched, release)
        assert torch.equal(flat(explained), flat(release.update))
        # One coordinate turned, of the root-mean-square size: that sign is explained as turned.
        turned = {k: g.sign() for k, g in grads.items()}
        turned["bias"][0, 3] *= -1
        explained = shield.replay(turned, release)
        assert float(explained["bias"][3]) == pytest.approx(-float(release.update["bias"][3]))
        assert int((explained["bias"] != release.update["bias"]).sum()) == 1

    def test_one_bit_each_unless_zeros_must_be_told_apart(self):
        grads = random_gradients()
        assert configured("sign").release(grads, generator=seeded()).wire_bytes == 1240 // 8
        grads["bias"][:, :5] = 0
        release = configured("sign").release(grads, generator=seeded())
        assert release.wire_bytes == 2 * 1240 // 8
        assert not release.update["bias"][:5].any()
