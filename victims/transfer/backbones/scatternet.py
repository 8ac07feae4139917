"""Scattering features, which nobody has trained (Tramèr and Boneh 2021)."""

from __future__ import annotations

from torch import nn

from victims.models.scatternets import scattering_features
from victims.transfer.backbones.backbone import Backbone

POOLED = 3


def scatternet(image_shape: tuple[int, int, int]) -> Backbone:
    """All scattering coefficients after GroupNorm: 3,969 on MNIST, 15,552 on CIFAR-10."""
    return Backbone("scatternet", scattering_features(image_shape))


def scatternet_pooled(image_shape: tuple[int, int, int]) -> Backbone:
    """Their means over a 3x3 grid: 729 on MNIST, 2,187 on CIFAR-10; a Gramian of them is small."""
    pooled = nn.Sequential(scattering_features(image_shape), nn.AdaptiveAvgPool2d(POOLED))
    return Backbone("scatternet-pooled", pooled)
