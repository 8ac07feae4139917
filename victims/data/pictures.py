"""Reads one picture of a file: checked before it is decoded, right for every depth."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from defenses.errors import one_line

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
"""What is read, by suffix; a file may hold another of these formats than its suffix says."""
MAX_PIXELS = 2**26
"""A picture with more, by its header, is refused before it is unpacked (67 million)."""
GREY = ("1", "L", "LA", "La", "F")
PNG_WHITE = 65535
"""White of grey PNG and PGM files of more than 8 bits."""
STRAIGHT = ("L", "RGB")
SEE_THROUGH = "it is partly transparent: lay it on a background first"
WIDTH, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
"""TIFF tags: bits per sample, and what 0 means."""
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of an EXIF orientation upright."""


class Unreadable(ValueError):
    """A picture that cannot be used; the message says why."""


def header(content: bytes | io.IOBase) -> Image.Image:
    """The picture with its size and mode known and its pixels still packed.

    Raises:
        Unreadable: no picture of the known formats, one of several frames, or a too large one.
    """
    source: Any = io.BytesIO(content) if isinstance(content, bytes) else content
    Image.init()
    known = [f for f in dict.fromkeys(FORMATS.values()) if f in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our limit is lower than Pillow's
            picture = Image.open(source, formats=known)
            several = getattr(picture, "is_animated", False)
    except Exception as error:  # what a decoder raises on foreign bytes is anybody's guess
        raise Unreadable(_reason(error)) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise Unreadable(
            f"it unpacks to {picture.width}x{picture.height} pixels; {MAX_PIXELS:,} are allowed"
        )
    if several:  # a telephone's MPO is a photograph and its preview
        raise Unreadable("it holds several frames; a picture has one")
    return picture


def grey(picture: Image.Image) -> bool:
    """Whether a picture has one channel beside a transparency; palettes count as colour."""
    return picture.mode in GREY or picture.mode.startswith("I")


def pixels(content: bytes, size: int | None, colour: bool) -> Tensor:
    """A file's picture as people see it.

    Upright by its EXIF orientation; 16-bit grey and floats at their full depth (colours of 16
    bits keep the higher 8, as Pillow reads them); palettes and CMYK as RGB.

    Args:
        content: the bytes of the file.
        size: edge in pixels (shorter side scaled, centre cropped); None: as stored.
        colour: three channels also for a grey picture.

    Returns:
        (1 or 3, H, W) float32 in [0, 1].

    Raises:
        Unreadable: it is damaged, too large, partly transparent, or of unknown range.
    """
    opened = header(content)
    try:
        opened.load()  # turns a TIFF upright and forgets its orientation
        deep = opened.mode == "F" or opened.mode.startswith("I")
        picture = _deep(opened) if deep else _shallow(opened)
        upright = UPRIGHT.get(opened.getexif().get(ORIENTATION, 1))
        picture = picture if upright is None else picture.transpose(upright)
    except Unreadable:
        raise
    except Exception as error:  # as above
        raise Unreadable(_reason(error)) from error
    if size is not None:
        picture = square(picture, size)
    array = torch.from_numpy(np.array(picture))
    part = array[None] if array.ndim == 2 else array.permute(2, 0, 1)
    part = part.clamp(0, 1) if picture.mode == "F" else part.float() / 255
    return part.expand(3, -1, -1) if colour and len(part) == 1 else part


def _shallow(picture: Image.Image) -> Image.Image:
    """8 bits: as L or RGB, once nothing shines through."""
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        covers: Any = picture.convert("RGBA").getchannel("A").getextrema()
        if covers[0] < 255:
            raise Unreadable(SEE_THROUGH)
    if picture.mode in STRAIGHT:
        return picture
    return picture.convert("L" if grey(picture) else "RGB")


def _deep(picture: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, or floats: as mode F in [0, 1]."""
    array = np.asarray(picture).astype(np.float32)
    if np.any(array == picture.info.get("transparency")):
        raise Unreadable(SEE_THROUGH)
    if picture.mode == "F":
        if not (array.min() >= 0 and array.max() <= 1):  # NaN is refused too
            raise Unreadable(
                f"its floats lie in [{array.min():g}, {array.max():g}]; they must be in [0, 1]"
            )
    else:
        array = array / _white(picture, array)
        if _tag(picture, PHOTOMETRIC, 1) == WHITE_IS_ZERO:
            array = 1 - array
    return Image.fromarray(array)


def _white(picture: Image.Image, array: np.ndarray) -> float:
    """The value of white in a picture of integers."""
    white = float(PNG_WHITE)
    if picture.mode == "I" and not _is_16_bit(picture):
        raise Unreadable("it holds 32-bit or signed integers, of which no value is known as white")
    bits = _tag(picture, WIDTH, 16)
    if bits < 16:  # TIFF of 12 bits
        white = float(2**bits - 1)
    if not (array.min() >= 0 and array.max() <= white):
        raise Unreadable(f"its values lie outside [0, {white:g}]")
    return white


def _is_16_bit(picture: Image.Image) -> bool:
    """Whether mode I means 16 bits: as PNG's and PGM's are read, by some versions of Pillow."""
    return _tag(picture, WIDTH, 0) == 0


def _tag(picture: Image.Image, tag: int, default: int) -> int:
    """An integer of a TIFF's header; ``default`` where there is none."""
    value = (getattr(picture, "tag_v2", None) or {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def square(picture: Image.Image, size: int) -> Image.Image:
    """The centre of a picture whose shorter side is scaled to ``size``."""
    scale = size / min(picture.size)
    wide, high = (max(size, round(edge * scale)) for edge in picture.size)
    if wide * high > MAX_PIXELS:
        raise Unreadable(f"it is {picture.width}x{picture.height}, too narrow to be scaled")
    scaled = picture.resize((wide, high), Image.Resampling.LANCZOS)
    left, top = (wide - size) // 2, (high - size) // 2
    return scaled.crop((left, top, left + size, top + size))


def _reason(error: Exception) -> str:
    """Why a decoder failed, in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture of a known format"
    return one_line(error, 160)
