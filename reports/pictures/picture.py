"""One picture of a reconstruction grid."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

RGB = "RGB"
EDGE = 64
"""Larger pictures are averaged down to this many pixels, so that a page stays light."""


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        data: a PNG; empty where there is none.
        alt: what it is, in words.
        caption: PSNR, or nothing.
        column: ``adaptive``, ``naive``, or nothing for pictures that no attack made.
    """

    data: bytes
    alt: str
    caption: str
    column: str

    @property
    def uri(self) -> str:
        """As a data address."""
        return "data:image/png;base64," + base64.b64encode(self.data).decode()


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
    if len(found) == len(RGB):
        return found.permute(1, 2, 0).numpy()
    return found.mean(0).numpy()


def told_channels(images: Tensor) -> str:
    """What a caption must say of how (n, C, H, W) images are drawn; nothing where it is plain."""
    channels = images.shape[1]
    return "" if channels in (1, len(RGB)) else f"grey: the mean of {channels} channels"


def png(image: Tensor) -> bytes:
    """A (C, h, w) image in [0, 1] as PNG (see `pixels`), at most `EDGE` pixels wide and high."""
    high, wide = image.shape[1:]
    shrink = max(high, wide) / EDGE
    found = image.detach().float().nan_to_num(0.0).clamp(0, 1)
    if shrink > 1:
        size = (max(1, round(high / shrink)), max(1, round(wide / shrink)))
        found = adaptive_avg_pool2d(found[None], size)[0]
    buffer = io.BytesIO()
    shown = (255 * pixels(found)).round().astype(np.uint8)
    Image.fromarray(shown).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
