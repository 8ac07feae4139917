"""One private image, or a guess of it, as a PNG with words."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from reports.records.images import pixels

EDGE = 64
"""Larger pictures are averaged down to this many pixels, so that a page stays light."""


@dataclass(frozen=True)
class Picture:
    """A picture for page and paper.

    Attributes:
        data: a PNG; empty where there is no image.
        alt: what the picture is, in words.
        caption: lines that stand below it; may be empty.
        attacker: ``adaptive``, ``naive``, or nothing for pictures that no attack made.
    """

    data: bytes
    alt: str
    caption: str
    attacker: str

    @property
    def uri(self) -> str:
        """The picture as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.data).decode()


def png(image: Tensor) -> bytes:
    """A (C, h, w) image in [0, 1] as PNG, at most `EDGE` pixels wide and high (see `pixels`)."""
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
