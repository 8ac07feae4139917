"""One picture of a file: depth, mode, orientation, size, damage."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import PIL
import pytest
import torch
from PIL import Image, ImageOps

from victims.data.pictures import MAX_PIXELS, Unreadable, pixels

PILLOW = tuple(int(part) for part in PIL.__version__.split(".")[:2])
RAMP = np.linspace(0, 65535, 64).reshape(8, 8).round().astype(np.uint16)
EIGHT = (RAMP >> 8).astype(np.uint8)
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def packed(array, kind="PNG", mode=None, **how):
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(
        ">I", zlib.crc32(name + content)
    )  # fmt: skip


def png(wide, high, depth, colour, rows, extra=b""):
    head = struct.pack(">IIBBBBB", wide, high, depth, colour, 0, 0, 0)
    data = b"".join(b"\0" + row for row in rows)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), extra, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))
    )


@pytest.mark.parametrize(
    "content",
    [
        packed(RAMP),
        packed(RAMP, "TIFF"),
        b"P5 8 8 65535\n" + RAMP.astype(">u2").tobytes(),
        pytest.param(
            b"Pf\n8 8\n-1.0\n" + (RAMP / 65535).astype("<f4")[::-1].tobytes(),
            marks=pytest.mark.skipif(PILLOW < (10, 3), reason="Pillow reads PFM from 10.3"),
        ),
        packed((RAMP / 65535).astype(np.float32), "TIFF"),
        packed(65535 - RAMP, "TIFF", tiffinfo={262: 0}),  # white is 0
    ],
    ids=["png16", "tiff16", "pgm16", "pfm", "tiff-float", "white-is-zero"],
)
def test_grey_of_more_than_eight_bits_keeps_its_depth(content):
    found = pixels(content, None, colour=False)
    assert found.dtype == torch.float32
    assert torch.allclose(found[0], torch.from_numpy(RAMP / 65535).float(), atol=1e-6)
    small = pixels(content, 4, colour=True)
    assert small.shape == (3, 4, 4)
    assert 0 <= small.min() < 0.15 < 0.85 < small.max() <= 1
    assert abs(float(small.mean()) - 0.5) < 1e-3


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (packed(EIGHT), EIGHT),
        (packed(EIGHT, mode="LA"), EIGHT),
        (packed(EIGHT, mode="RGBA"), EIGHT),
        (packed(EIGHT, mode="P"), EIGHT),
        (packed(EIGHT, "TIFF", mode="CMYK"), EIGHT),
        (packed(EIGHT, "GIF"), EIGHT),
        (packed(255 * (EIGHT > 127).astype(np.uint8), mode="1"), 255 * (EIGHT > 127)),
        (png(4, 1, 2, 0, [bytes([0b00011011])]), np.array([[0, 85, 170, 255]])),
        (png(2, 1, 4, 0, [bytes([0x0F])]), np.array([[0, 255]])),
        (png(2, 1, 16, 2, [struct.pack(">6H", 0, 0, 0, *[0xABCD] * 3)]), np.array([[0, 0xAB]])),
    ],
    ids=["L", "LA", "RGBA", "P", "CMYK", "GIF", "1", "2 bits", "4 bits", "RGB16"],
)
def test_every_mode_shows_what_viewers_show(content, right):
    found = pixels(content, None, colour=True)
    assert torch.allclose(found, torch.from_numpy(right / 255).float().expand_as(found), atol=5e-3)


def test_palettes_are_scaled_by_colour_and_not_by_number():
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, :4] = (255, 204, 0)
    plain, mapped = (packed(halves, mode=mode) for mode in (None, "P"))
    assert torch.equal(pixels(plain, 3, True), pixels(mapped, 3, True))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation, kind):
    tag = Image.Exif()
    tag[0x112] = orientation
    more = {"lossless": True} if kind == "WEBP" else {}
    content = packed(COLOURS, kind, exif=tag, **more)
    right = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    found = pixels(content, None, colour=True)
    assert torch.equal((255 * found).round().byte().permute(1, 2, 0), torch.from_numpy(right))
    deep = pixels(packed(RAMP[:6], exif=tag), None, colour=False)
    right = ImageOps.exif_transpose(Image.open(io.BytesIO(packed(EIGHT[:6], exif=tag))))
    assert torch.allclose(deep[0], torch.from_numpy(np.array(right) / 255).float(), atol=4e-3)


def clear():
    return np.dstack([COLOURS, np.where(COLOURS[..., 0] > 100, 255, 0).astype(np.uint8)])


FRAMES = {"save_all": True, "append_images": [Image.fromarray(255 - COLOURS)]}
JPEG = packed(COLOURS, "JPEG")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (packed(clear()), "partly transparent"),
        (packed(clear(), "WEBP", lossless=True), "partly transparent"),
        (packed(EIGHT, mode="P", transparency=0), "partly transparent"),
        (packed(EIGHT, transparency=0), "partly transparent"),
        (
            png(8, 8, 16, 0, [r.astype(">u2").tobytes() for r in RAMP], chunk(b"tRNS", b"\0\0")),
            "partly transparent",
        ),
        (packed((RAMP / 255).astype(np.float32), "TIFF"), r"floats lie in \[0, 257\]"),
        (packed(np.full((8, 8), np.nan, np.float32), "TIFF"), "floats lie in"),
        (packed(RAMP.astype(np.int32), "TIFF"), "no value is known as white"),
        (packed(COLOURS, "GIF", **FRAMES), "several frames"),
        (packed(COLOURS, "PNG", **FRAMES), "several frames"),
        (packed(COLOURS, "TIFF", **FRAMES), "several frames"),
        (packed(COLOURS, "WEBP", **FRAMES), "several frames"),
        (JPEG[: len(JPEG) // 2], r"truncated|Truncated"),
        (b"", "no picture of a known format"),
        (b"%PDF-1.4", "no picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a known format"),
    ],
)
def test_what_has_no_one_meaning_is_refused(content, why):
    with pytest.raises(Unreadable, match=why):
        pixels(content, None, colour=True)


def test_a_bomb_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("unpacked"))
    edge = int(MAX_PIXELS**0.5) + 1
    for bomb in (png(edge, edge, 1, 0, [b""]), png(2**31 - 1, 2**31 - 1, 8, 2, [b""])):
        with pytest.raises(Unreadable, match=r"it unpacks to|limit"):
            pixels(bomb, 8, colour=False)


def test_a_strip_cannot_be_scaled_to_gigabytes():
    with pytest.raises(Unreadable, match="too narrow"):
        pixels(png(2**24, 1, 1, 0, [b"\0" * 2**21]), 64, colour=False)
