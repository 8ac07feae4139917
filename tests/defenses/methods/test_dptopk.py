"""Private top-k: a support that no example moves."""

from __future__ import annotations

import torch

from defenses import Side
from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat


class TestDPTopK:
    def test_after_the_warm_up_the_highest_scores_are_kept_whatever_the_batch(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("dptopk", rate=0.9, warmup_share=0.5, noise_multiplier=0.02)
        shield = shield.informed(Side(memory=memory))
        strong = {k: torch.zeros_like(g) for k, g in random_gradients().items()}
        strong["weight"][:, :4] = 1.0  # 120 coordinates with all the energy
        for step in range(2):
            release = shield.release(strong, step=step, steps=4, generator=seeded(step))
            assert "mask" not in release.public
        masks = [
            shield.release(random_gradients(seed=s), step=s, steps=4, generator=seeded(s))
            for s in (2, 3)
        ]
        for release in masks:
            mask = release.public["mask"]
            assert int(flat(mask).sum()) == 1240 - int(0.9 * 1240)
            assert bool(mask["weight"][:4].all())
            assert not flat(release.update)[~flat(mask)].any()
        assert torch.equal(*(flat(r.public["mask"]) for r in masks))
        assert masks[0].wire_bytes == 4 * 124
