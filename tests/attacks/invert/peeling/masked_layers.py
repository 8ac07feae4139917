"""A convolution under a mask, for tests of what is solved there."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.bilinear import stages
from attacks.invert.peeling.geometry import Geometry
from attacks.invert.peeling.rounding import round_top
from attacks.invert.peeling.top import Top, TopPrior
from tests.conftest import seeded

PLAN = tuple((10.0**-k, 60) for k in range(2, 8))

SIZE, FED, OUT = (4, 4), 24, 48

GEOMETRY = Geometry(SIZE, (3, 3), (1, 1), (1, 1))

WINDOWS = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3])


def randoms(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def dropped(shape, rate, seed=5):
    return torch.rand(shape, generator=seeded(seed)) >= rate


class Case:
    """A convolution between ReLU features and an average or a max pool, one image masked."""

    def __init__(self, rate, pooled=False, noise=0.0, batch=1):
        conv = nn.Conv2d(FED, OUT, 3, padding=1).double().requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            conv.reset_parameters()
        self.images = torch.rand(80, 3, *SIZE, generator=seeded(2), dtype=torch.float64)
        mixing = randoms(FED, 3, 3, 3, seed=4)
        fed = F.conv2d(self.images - 0.5, mixing, padding=1).relu()
        outputs = conv(fed)
        self.gates = self.chosen(outputs, pooled)
        self.inputs = fed.flatten(2)
        slope = randoms(batch, OUT, 4 if pooled else 1, seed=6)
        slope = slope[..., WINDOWS] if pooled else slope.expand(batch, OUT, 16)
        patches = GEOMETRY.unfold(fed[:batch])
        gradient = ((slope * self.gates[:batch]) @ patches).sum(0)
        seen = dropped(gradient.shape, rate)
        gradient = gradient + noise * randoms(*gradient.shape, seed=8)
        shape = (OUT, FED, 3, 3)
        windows = WINDOWS if pooled else None
        self.top = Top.of(
            GEOMETRY, slope, gradient.reshape(shape), seen.reshape(shape), windows, noise
        )
        gates = self.gates[batch:].mean(0).repeat(1, batch)
        self.prior = TopPrior(
            self.inputs[batch:].mean(0).repeat(1, batch),
            self.inputs[batch:].var(0).repeat(1, batch),
            gates,
            (gates * (1 - gates)).clamp(min=0.02),
        )

    @staticmethod
    def chosen(outputs, pooled):
        if not pooled:
            return (outputs > 0).double().flatten(2)
        _, place = F.max_pool2d(outputs, 2, return_indices=True)
        return torch.zeros_like(outputs.flatten(2)).scatter_(2, place.flatten(2), 1.0)

    def solve(self):
        *_, last = stages(self.top, self.prior, clock=Clock(), plan=PLAN)
        return round_top(self.top, self.top.gates(last.opened * self.top.sizes))
