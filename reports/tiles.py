"""One picture of a reconstruction grid."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

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
    if images is None or images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        return None
    return images if images.dtype.is_floating_point else None


def png(image: Tensor) -> bytes:
    """A (1 or 3, h, w) image in [0, 1] as PNG, at most `EDGE` pixels wide and high."""
    high, wide = image.shape[1:]
    shrink = max(high, wide) / EDGE
    found = image.detach().float().nan_to_num(0.0).clamp(0, 1)
    if shrink > 1:
        size = (max(1, round(high / shrink)), max(1, round(wide / shrink)))
        found = adaptive_avg_pool2d(found[None], size)[0]
    pixels = (255 * found.permute(1, 2, 0).numpy()).round().astype(np.uint8)
    buffer = io.BytesIO()
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(shown).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
