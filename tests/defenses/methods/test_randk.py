"""Random coordinates with a memory of those that were left out."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from defenses import BadInput, Release, Side
from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat


class TestRandK:
    def test_releases_and_memory_sum_to_the_truth(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("randk", rate=0.9).informed(Side(memory=memory))
        batches = [random_gradients(seed=i) for i in range(12)]
        sent = [
            shield.release(g, step=i, steps=12, generator=seeded(i)).update
            for i, g in enumerate(batches)
        ]
        for key in batches[0]:
            owed = memory[f"randk.{key}"]
            total = sum(s[key] for s in sent) + owed
            assert torch.allclose(total, sum(g[key].mean(0) for g in batches), atol=1e-5)
            assert owed.any()

    def test_rounds_are_what_an_adversary_adds_up(self):
        """The same masks in single rounds with a memory, and in one release of five rounds."""
        grads, rounds = random_gradients(batch=1), 5
        shield = configured("randk", rate=0.6)
        memory: dict[str, torch.Tensor] = {}
        last = {k: torch.zeros(g.shape[1:]) for k, g in grads.items()}
        total = {k: torch.zeros(g.shape[1:]) for k, g in grads.items()}
        for turn in range(rounds):
            one = shield.informed(Side(memory=memory, mask_seed=3))
            release = one.release(grads, step=turn, steps=rounds, generator=seeded())
            for key, value in release.update.items():
                total[key] += value / rounds
                last[key][release.public["mask"][key]] = turn + 1
        heard = {k: v / rounds for k, v in last.items()}
        release = Release(total, {**shield.public(1), "heard": heard})
        explained = shield.replay(grads, release)
        assert all(torch.allclose(explained[k], total[k], atol=1e-5) for k in total)
        listening = dataclasses.replace(shield, rounds=rounds).release(grads, generator=seeded())
        known = float(flat(listening.public["mask"]).float().mean())
        assert known == pytest.approx(1 - 0.6**rounds, abs=0.05)
        assert float(flat(release.public["heard"]).bool().float().mean()) > 0.85
        assert listening.wire_bytes == rounds * 4 * (1240 - int(0.6 * 1240))

    def test_rounds_belong_to_a_single_release(self):
        shield = configured("randk", rounds=2).informed(Side(memory={}))
        with pytest.raises(BadInput, match="rounds are those of a single release"):
            shield.release(random_gradients(), generator=seeded())
