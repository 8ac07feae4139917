"""Images of a Record as they are drawn, whatever their number of channels."""

from __future__ import annotations

import numpy as np
from torch import Tensor

RGB = 3
"""An image of so many channels is in colours."""


def drawable(images: Tensor | None) -> Tensor | None:
    """The images when they have a shape and a type that can be shown, else None."""
    if images is None or images.ndim != 4 or 0 in images.shape:
        return None
    return images if images.dtype.is_floating_point else None


def pixels(image: Tensor) -> np.ndarray:
    """What is drawn of a (C, H, W) image: (H, W) grey or (H, W, 3), in [0, 1].

    One channel is grey and three are colours; of any other number, such as the bands of a
    satellite, the mean is shown in grey. NaN is black.
    """
    found = image.detach().cpu().float().nan_to_num(0.0).clamp(0, 1)
    if len(found) == RGB:
        return found.permute(1, 2, 0).numpy()
    return found.mean(0).numpy()


def channel_note(images: Tensor) -> str:
    """What a caption must say of how (n, C, H, W) images are drawn; nothing where it is plain."""
    channels = images.shape[1]
    return "" if channels in (1, RGB) else f"grey: the mean of {channels} channels"
