"""Victims on scattering features, and their end-to-end rival (Tramèr and Boneh 2021)."""

from __future__ import annotations

import math

from torch import nn

from victims.models.frozen import Featurised
from victims.models.scattering import PATHS, Scattering

GROUPS = 27


def scattering_features(image_shape: tuple[int, int, int]) -> nn.Module:
    """Scattering, then GroupNorm of 27 groups: (B, C * 81, H // 4, W // 4) of mean 0.

    An example is normalised by its own mean and variance alone, so this costs no privacy, unlike
    statistics over the data.
    """
    channels, height, width = image_shape
    norm = nn.GroupNorm(GROUPS, channels * PATHS, affine=False)
    return nn.Sequential(Scattering(height, width), norm)


def scatter_linear(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A linear layer on scattering features: 39,700 parameters on MNIST, 155,530 on CIFAR-10."""
    channels, height, width = image_shape
    inputs = channels * PATHS * (height // 4) * (width // 4)
    head = nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes))
    return Featurised(scattering_features(image_shape), head)


def scatter_cnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two tanh convolutions on scattering features: 33,066 parameters on MNIST, 187,210 on CIFAR.

    Grey images have their smaller network, with strides; others the one with max-pooling.
    """
    channels, height, width = image_shape
    inputs, rows, columns = channels * PATHS, height // 4, width // 4
    layers: list[nn.Module]
    if channels == 1:
        size = 32 * math.ceil(rows / 2) * math.ceil(columns / 2)
        layers = [nn.Conv2d(inputs, 16, 3, stride=2, padding=1), nn.Tanh()]
        layers += [nn.Conv2d(16, 32, 3, padding=1), nn.Tanh(), nn.Flatten()]
        layers += [nn.Linear(size, 32), nn.Tanh(), nn.Linear(32, classes)]
    else:
        size = 64 * (rows // 2) * (columns // 2)
        layers = [nn.Conv2d(inputs, 64, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.Tanh()]
        layers += [nn.Flatten(), nn.Linear(size, classes)]
    return Featurised(scattering_features(image_shape), nn.Sequential(*layers))


def tanh_cnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Their end-to-end tanh CNN for MNIST, without scattering: 26,010 parameters there."""
    channels, height, width = image_shape
    if min(height, width) < 16:
        raise ValueError("images must be at least 16x16 for its two 8x8 and 4x4 convolutions")
    # Convolutions (n - 4) // 2 + 1, then (n - 4) // 2 + 1 again; each pooling takes one more.
    rows, columns = ((((n - 4) // 2) - 4) // 2 for n in (height, width))
    return nn.Sequential(
        nn.Conv2d(channels, 16, 8, stride=2, padding=2),
        nn.Tanh(),
        nn.MaxPool2d(2, stride=1),
        nn.Conv2d(16, 32, 4, stride=2),
        nn.Tanh(),
        nn.MaxPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(32 * rows * columns, 32),
        nn.Tanh(),
        nn.Linear(32, classes),
    )
