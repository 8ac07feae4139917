"""Small victims: linear, mlp, DLG's lenet, LeNet-5 and the DP-CNN."""

from __future__ import annotations

import math

from torch import nn


def linear(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Softmax regression on pixels, with bias."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(image_shape), classes))


def mlp(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """One hidden layer of 256 ReLU units."""
    pixels = math.prod(image_shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 256), nn.ReLU(), nn.Linear(256, classes))


def lenet(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The model of Deep Leakage from Gradients (Zhu et al. 2019).

    Three 5x5 sigmoid convolutions of 12 channels, strides 2, 2, 1, then a linear layer; all
    weights and biases U(-0.5, 0.5).
    """
    channels, height, width = image_shape
    features = 12 * -(-height // 4) * -(-width // 4)
    model = nn.Sequential(
        nn.Conv2d(channels, 12, 5, stride=2, padding=2),
        nn.Sigmoid(),
        nn.Conv2d(12, 12, 5, stride=2, padding=2),
        nn.Sigmoid(),
        nn.Conv2d(12, 12, 5, stride=1, padding=2),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(features, classes),
    )
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return model


def lenet5(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """LeNet-5 (LeCun et al. 1998) with ReLU and max-pooling: 62,006 parameters on CIFAR-10."""
    channels, height, width = image_shape
    if min(height, width) < 16:
        raise ValueError("images must be at least 16x16, for its 5x5 filters have no padding")
    rows, columns = (((edge - 4) // 2 - 4) // 2 for edge in (height, width))
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * rows * columns, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def dpcnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The tanh CNN of DP-SGD papers (Papernot et al. 2021): 550,570 parameters on CIFAR-10."""
    channels, height, width = image_shape
    if min(height, width) < 8:
        raise ValueError("images must be at least 8x8, for it pools by 2 three times")
    layers: list[nn.Module] = []
    for out in (32, 64, 128):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.Tanh()]
        layers += [nn.Conv2d(out, out, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2)]
        channels = out
    features = 128 * (height // 8) * (width // 8)
    head = [nn.Flatten(), nn.Linear(features, 128), nn.Tanh(), nn.Linear(128, classes)]
    return nn.Sequential(*layers, *head)
