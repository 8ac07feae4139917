"""A small network with batch normalisation, to attack: --model docs.examples.normalised:net."""

from torch import nn


def net(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two convolutions of eight channels, each normalised, and a linear layer."""
    channels, height, width = image_shape
    places = ((height + 1) // 2) * ((width + 1) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Softplus(beta=5),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.Softplus(beta=5),
        nn.Flatten(),
        nn.Linear(8 * places, classes),
    )
