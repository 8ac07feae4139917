"""Per-example gradients on a device are those of the CPU."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from tests.conftest import seeded
from tests.device.pretend import BACK, READ, THERE, counted
from tests.victims.gradients.test_wide_convolutions import GEOMETRIES

MODELS = ("mlp", "lenet", "lenet5", "dpcnn", "scatter-cnn")
LONG = ("linear", "convnet", "resnet20-4", "resnet18-gn", "wrn-16-4", "scatter-linear", "tanh-cnn")


def gradients(name, device):
    model = victims.load_model(name).eval()
    images = torch.rand(3, 3, 32, 32, generator=seeded())
    labels = torch.tensor([0, 4, 9])
    expected = victims.per_example_gradients(model, cross_entropy, images, labels)
    far = copy.deepcopy(model).to(device)
    pair = images.to(device), labels.to(device)
    victims.per_example_gradients(far, cross_entropy, *pair)  # a model may be tried out once
    with counted() as crossings:
        found = victims.per_example_gradients(far, cross_entropy, *pair)
    return found, expected, crossings


@pytest.mark.parametrize(
    "name", [*MODELS, *(pytest.param(n, marks=pytest.mark.slow) for n in LONG)]
)
def test_every_model_gives_the_cpus_gradients(name, device):
    found, expected, crossings = gradients(name, device)
    # Of the whole gradient: a bias before a norm has the gradient zero, and rounding alone.
    whole = max(v.abs().max().item() for v in expected.values())
    for key, value in found.items():
        scale = max(expected[key].abs().max().item(), 1e-3 * whole)
        torch.testing.assert_close(value.cpu(), expected[key], rtol=1e-3, atol=1e-4 * scale)
    assert crossings[BACK] == crossings[THERE] == 0
    assert crossings[READ] <= 2


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_convolutions_of_any_geometry_give_the_cpus_gradients(geometry, device):
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 8, (3, 2), **geometry)
    model = nn.Sequential(conv, nn.Tanh(), nn.Flatten())
    images = torch.rand(3, 2, 4, 6, 7, generator=seeded())
    labels = torch.tensor([0, 1, 4])
    expected = victims.per_example_gradients(model, cross_entropy, images, labels)
    far = copy.deepcopy(model).to(device)
    found = victims.per_example_gradients(far, cross_entropy, images.to(device), labels.to(device))
    for key, value in found.items():
        torch.testing.assert_close(value.cpu(), expected[key], rtol=1e-4, atol=1e-6)
