"""A clipping norm that follows a quantile under noise."""

from __future__ import annotations

import math

import pytest
import torch
from opacus.accountants import RDPAccountant

from defenses import Side
from defenses.methods.adaptive import SHORT
from tests.conftest import configured, random_gradients, seeded


class TestAdaptive:
    @pytest.mark.parametrize("share", [0.01, 0.3])
    @pytest.mark.parametrize("noise", [0.5, 1.0, 4.0])
    def test_sum_and_count_together_cost_what_is_claimed(self, noise, share):
        shield = configured("adaptive", noise_multiplier=noise, count_share=share)
        sum_noise, count_noise = shield.noise_of_sum(), shield.noise_of_count()
        # Theorem 1, as Opacus' AdaClipDPOptimizer has it.
        assert sum_noise == pytest.approx((noise**-2 - (2 * count_noise) ** -2) ** -0.5)
        both, one = RDPAccountant(), RDPAccountant()
        both.history = [(sum_noise, 1.0, 30), (2 * count_noise, 1.0, 30)]
        one.history = [(shield.effective_noise(), 1.0, 30)]
        assert both.get_epsilon(1e-5) == pytest.approx(one.get_epsilon(1e-5), rel=1e-6)
        spent = shield.epsilon(steps=30, sample_rate=0.1, delta=1e-5)
        assert spent == configured("dpsgd", noise_multiplier=noise).epsilon(
            steps=30, sample_rate=0.1, delta=1e-5
        )

    def test_an_example_moves_the_count_by_a_half(self):
        shield = configured("adaptive", clip=1.0)
        count = [
            float(shield.contribute(random_gradients(batch=b, scale=s), {})[SHORT])
            for b, s in ((1, 1e-3), (1, 1e3), (7, 1e-3), (0, 1.0))
        ]
        assert count == [0.5, -0.5, 3.5, 0.0]

    def test_the_norm_follows_the_quantile(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("adaptive", clip=0.1, noise_multiplier=0.0, quantile=0.7)
        shield = shield.informed(Side(memory=memory))
        scales = torch.linspace(0.5, 1.5, 50)
        grads = {
            k: g[:1] * scales.view(-1, *[1] * (g.ndim - 1)) for k, g in random_gradients().items()
        }
        norms = torch.stack([g.flatten(1).square().sum(1) for g in grads.values()]).sum(0).sqrt()
        clips = [
            shield.release(grads, step=t, generator=seeded(t)).public["clip"] for t in range(80)
        ]
        assert clips[0] == pytest.approx(0.1)
        assert clips[1] == pytest.approx(0.1 * math.exp(0.2 * 0.7))
        assert clips[-1] == pytest.approx(float(norms.quantile(0.7)), rel=0.05)

    def test_the_count_is_noisy_as_stated(self):
        shield = configured("adaptive", noise_multiplier=1.0, clip_rate=1.0, count_share=0.04)
        logs = []
        for turn in range(400):
            memory: dict[str, torch.Tensor] = {}
            nothing = random_gradients(batch=0)
            shield.informed(Side(memory=memory)).release(
                nothing, batch_size=40, generator=seeded(turn)
            )
            logs.append(math.log(float(memory["adaptive.clip"])))
        found = torch.tensor(logs, dtype=torch.float64)
        std = 2.5 / 40  # sigma_b = 1 / (2 sqrt(0.04))
        assert float(found.std()) == pytest.approx(std, rel=5 / math.sqrt(800))
        assert abs(float(found.mean())) < 5 * std / math.sqrt(400)

    def test_a_release_does_not_depend_on_how_its_own_batch_was_counted(self):
        shield = configured("adaptive", clip=1.0).informed(Side(memory={}))
        facts = [
            shield.release(random_gradients(scale=s), generator=seeded()).public
            for s in (1e-3, 1e3)
        ]
        assert facts[0]["clip"] == 1.0
        assert facts[1]["clip"] != 1.0  # of the second step: the first one's count is out
