"""Wide convolutions: the gradients of a loop, and slopes of both orders."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import victims
from tests.conftest import seeded
from victims.gradients.wide_convolutions import WideConvolutions

GEOMETRIES = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)},
    {"groups": 4, "padding": 1},
    {"padding": "same", "dilation": 2},
    {"padding": "valid"},
    {"padding": 1, "padding_mode": "circular"},
    {"padding": 1, "bias": False},
    {"stride": 3},  # leaves pixels at the edge that no window reaches
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("views", [1, 3])
def test_wide_convolutions_give_the_gradients_of_a_loop(geometry, views):
    torch.manual_seed(0)
    convs = nn.Conv2d(4, 64, 3, padding=1), nn.Conv2d(64, 48, (3, 2), **geometry)
    model = nn.Sequential(convs[0], nn.Tanh(), convs[1], nn.Flatten(), nn.LazyLinear(5)).double()
    images = torch.rand(3, views, 4, 6, 7, generator=seeded(), dtype=torch.float64)
    model(images[:, 0])
    labels = torch.tensor([0, 1, 4])
    grads = victims.per_example_gradients(model, F.cross_entropy, images, labels)
    for index in range(3):
        loss = F.cross_entropy(model(images[index]), labels[index].expand(views))
        alone = torch.autograd.grad(loss, list(model.parameters()))
        for (key, _), expected in zip(model.named_parameters(), alone, strict=True):
            assert torch.allclose(grads[key][index], expected, rtol=1e-9, atol=1e-12), key


def test_the_rule_applies_to_wide_convolutions_only():
    weight = torch.zeros(32, 4, 3, 3, requires_grad=True)
    with WideConvolutions():
        few = F.conv2d(torch.zeros(1, 4, 6, 6), weight)  # 16 pixels
        many = F.conv2d(torch.zeros(1, 4, 7, 6), weight)
    assert "Patches" in type(few.grad_fn).__name__
    assert "Patches" not in type(many.grad_fn).__name__


def test_standardised_weights_have_exact_slopes_of_both_orders():
    from victims.models.wide_resnets import StandardisedConv

    torch.manual_seed(0)
    conv = StandardisedConv(3, 4, 3).double()
    with torch.no_grad():
        conv.weight[0] = 1e-4 * torch.randn(3, 3, 3)  # under the floor of the norm
    x = torch.rand(2, 3, 5, 5, generator=seeded(), dtype=torch.float64)

    def outcome(weight, gain):
        call = torch.func.functional_call
        return call(conv, {"weight": weight, "gain": gain}, (x,)).square()

    weight, gain = (p.detach().clone().requires_grad_() for p in (conv.weight, conv.gain))
    assert torch.autograd.gradcheck(outcome, (weight, gain), eps=1e-7, atol=1e-5, fast_mode=True)
    assert torch.autograd.gradgradcheck(
        outcome, (weight, gain), eps=1e-7, atol=1e-2, rtol=1e-3, fast_mode=True
    )
