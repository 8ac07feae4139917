"""The victims of distributed selective SGD (Shokri and Shmatikov 2015, Section 7)."""

from __future__ import annotations

import math

from torch import nn


def shared_mlp(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two hidden layers of 128 and 64 ReLU units: 109,386 parameters on MNIST."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(image_shape), 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def shared_cnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two 5x5 tanh convolutions, pooled by 3 and by 2: 105,506 parameters on MNIST."""
    channels, height, width = image_shape
    if min(height, width) < 22:
        raise ValueError("images must be at least 22x22, for its 5x5 filters have no padding")
    rows, columns = (((edge - 4) // 3 - 4) // 2 for edge in (height, width))
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5),
        nn.Tanh(),
        nn.MaxPool2d(3),
        nn.Conv2d(32, 64, 5),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * rows * columns, 200),
        nn.Tanh(),
        nn.Linear(200, classes),
    )
