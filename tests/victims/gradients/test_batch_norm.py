"""The statistics of a batch: what a client's running statistics tell, and what they settle."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.conftest import seeded
from victims.gradients.batch_norm import by_batch, by_statistics, statistics_of, watch


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(12)
        ).eval()


@pytest.fixture
def images():
    return torch.rand(5, 1, 4, 4, generator=seeded())


def test_running_statistics_before_and_after_a_step_tell_those_of_the_batch(net, images):
    told = statistics_of(by_batch(net), images)
    client = copy.deepcopy(net).train()
    client(images)
    for name, layer in (("1", client[1]), ("4", client[4])):
        assert torch.allclose(layer.running_mean, 0.1 * told[f"{name}.mean"], atol=1e-6)
        count = images.shape[0] * (4 if name == "1" else 1)
        unbiased = told[f"{name}.variance"] * count / (count - 1)
        assert torch.allclose(layer.running_var, 0.9 + 0.1 * unbiased, atol=1e-6)
    assert float(net[1].running_mean.abs().max()) == 0


def test_statistics_settle_what_the_batch_gave(net, images):
    model = by_batch(net)
    alone = by_statistics(model, statistics_of(model, images))
    assert torch.allclose(alone(images[:1]), model(images)[:1], atol=1e-5)
    assert not torch.allclose(net(images), model(images), atol=1e-2)


def test_watching_is_differentiable_and_leaves_nothing(net, images):
    images.requires_grad_()
    with watch(net) as found:
        net(images)
    (slope,) = torch.autograd.grad(found["1.variance"].sum(), images)
    assert float(slope.abs().sum()) > 0
    assert not any(m._forward_pre_hooks for m in net.modules())
