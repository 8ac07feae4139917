"""Larger victims: Geiping's ConvNet, ResNet20-4 and ResNet-18."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F


def convnet(image_shape: tuple[int, int, int], classes: int, width: int = 64) -> nn.Module:
    """ConvNet of Inverting Gradients (Geiping et al. 2020), width 64: 3x3 convs, BatchNorm, ReLU.

    Eight convolutions of width x (1, 2, 2, 4, 4, 4, 4, 4), max-pooling by 3 after the sixth and
    the eighth, one linear layer.
    """
    channels, height, wide = image_shape
    if min(height, wide) < 9:
        raise ValueError("images must be at least 9x9, for it pools by 3 twice")
    layers: list[nn.Module] = []
    for index, factor in enumerate((1, 2, 2, 4, 4, 4, 4, 4)):
        out = width * factor
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        channels = out
        if index in (5, 7):
            layers.append(nn.MaxPool2d(3))
    features = channels * (height // 9) * (wide // 9)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, classes))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016), with BatchNorm."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            project = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """Args: x (B, channels, H, W). Returns: (B, out, H / stride, W / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet20_4(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """ResNet-20 for 32x32 images, four times as wide (64, 128, 256): Geiping's ResNet20-4."""
    channels = 64
    layers: list[nn.Module] = [
        nn.Conv2d(image_shape[0], channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
    for out, stride in ((64, 1), (128, 2), (256, 2)):
        for block in range(3):
            layers.append(BasicBlock(channels, out, stride if block == 0 else 1))
            channels = out
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*layers, *head)


def resnet18(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """torchvision's ResNet-18, untrained, its first convolution taking C channels."""
    return _resnet18(image_shape, classes, nn.BatchNorm2d)


def resnet18_groupnorm(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """torchvision's ResNet-18 with GroupNorm (32 groups), which no DP trainer refuses."""
    return _resnet18(image_shape, classes, lambda channels: nn.GroupNorm(32, channels))


def _resnet18(
    image_shape: tuple[int, int, int], classes: int, norm: Callable[[int], nn.Module]
) -> nn.Module:
    from torchvision.models import resnet18  # on demand: it loads torch's compiler

    model = resnet18(weights=None, num_classes=classes, norm_layer=norm)
    if image_shape[0] != 3:
        model.conv1 = nn.Conv2d(image_shape[0], 64, 7, stride=2, padding=3, bias=False)
    # In-place ReLU cannot be differentiated twice through vmap's per-example copies.
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return cast(nn.Module, model)
