"""Stochastic rounding: unbiased, as large as stated, small on the wire."""

from __future__ import annotations

import math

import pytest
import torch

from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat, mean_of


def rms(values):
    return float(values.square().mean().sqrt())


class TestQuantize:
    def test_rounding_is_unbiased_and_to_neighbouring_levels(self):
        grads, count = random_gradients(batch=1), 400
        shield = configured("quantize", bits=3)
        true = mean_of(grads)
        seen = [shield.release(grads, generator=seeded(i)).update for i in range(count)]
        for key, value in true.items():
            step = float(value.abs().max()) / 3
            drawn = torch.stack([s[key] for s in seen])
            levels = drawn / step
            assert torch.allclose(levels, levels.round(), atol=1e-4)
            assert float((drawn - value).abs().max()) < step
            # Six standard errors; a coordinate's std is at most half a step.
            assert float((drawn.mean(0) - value).abs().max()) < 6 * 0.5 * step / math.sqrt(count)

    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_the_release_tells_the_size_of_the_rounding_error(self, bits, digit):
        for grads in (random_gradients(), digit[2]):
            shield = configured("quantize", bits=bits)
            release = shield.release(grads, generator=seeded())
            error = rms(flat(release.update) - flat(mean_of(grads)))
            assert 0.9 * error <= shield.noise(release) <= 1.7 * error
            assert release.public["noise_std"] == 0
            assert release.wire_bytes <= -(-1240 * bits // 8) + 8 or grads is digit[2]

    def test_what_is_mostly_zero_is_sent_as_indices(self):
        sparse = {"w": torch.zeros(1, 1000)}
        sparse["w"][0, :10] = 1.0
        release = configured("quantize", bits=8).release(sparse, generator=seeded())
        assert release.wire_bytes == 4 + 10 * 5 + 4
