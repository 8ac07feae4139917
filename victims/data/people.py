"""Finds images that two sets share, also after another file format or size.

An image is known by its look: which way brightness changes between neighbouring cells of a coarse
grid (difference hashing). Storing it anew, by JPEG say, or scaling it leaves nearly all of these
bits alone. Looks that agree are taken for one image: where two different images agree, somebody's
epsilon is counted once too often, which errs on the safe side.
"""

from __future__ import annotations

import base64
import binascii
import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

CELLS = 9
BITS = 2 * CELLS * (CELLS - 1)
"""The bits of a look: one per pair of horizontal or vertical neighbours."""
FLIPS = 2
"""So many bits of one image may change from file to file. JPEG at quality 85 leaves 0.5 to 0.96 of
a set's within them (digits 0.6, CIFAR-10 0.86); of 648 other digits and 1,500 other CIFAR-10
images none is within them, of MNIST's 5%."""
STEP = 0.1
"""Differences below this many standard deviations of the image's cells are none: in flat parts they
are the file format's."""
NEAR = 0.03
"""Root mean square difference of pixels up to which two images are one: JPEG at quality 85 makes
0.01 to 0.03; the nearest different ones among 6,000 digits, clothes or CIFAR-10 are at 0.04."""
CHUNK = 2048


def looks(images: Tensor) -> Tensor:
    """The looks (N, `BITS`), bool, of images (N, C, H, W) in [0, 1]."""
    rows = [_looks(part) for part in images.detach().cpu().float().split(CHUNK)]
    return torch.cat(rows) if rows else torch.zeros(0, BITS, dtype=torch.bool)


def _looks(images: Tensor) -> Tensor:
    """The looks of a chunk of images."""
    grey = images.mean(1, keepdim=True)
    cells = interpolate(grey, (CELLS, CELLS), mode="bilinear", antialias=True)[:, 0]
    step = STEP * cells.flatten(1).std(1)[:, None, None]
    across, down = cells.diff(dim=2) > step, cells.diff(dim=1) > step
    return torch.cat([across.flatten(1), down.flatten(1)], 1)


def count_matches(first: Tensor, second: Tensor) -> int:
    """How many rows of ``first`` (N, `BITS`) look like one of ``second`` (M, `BITS`)."""
    if not len(first) or not len(second):
        return 0
    signs = second.float() * 2 - 1
    count = 0
    for part in first.split(CHUNK):
        agree = (part.float() * 2 - 1) @ signs.T  # BITS - 2 * flips
        count += int((agree.amax(1) >= BITS - 2 * FLIPS).sum())
    return count


def matches(first: Tensor, second: Tensor) -> Tensor:
    """(N,) bool: which of the images ``first`` (N, C, H, W) are among ``second``, up to `NEAR`.

    Equal ones, those that rounding to 8 bits makes equal, and those stored once more. Images of
    another shape are compared by their looks, which tell less.
    """
    if not len(first) or not len(second):
        return torch.zeros(len(first), dtype=torch.bool)
    if first.shape[1:] != second.shape[1:]:
        known = looks(second)
        return torch.tensor([count_matches(row[None], known) > 0 for row in looks(first)])
    rows = first.detach().cpu().flatten(1).float()
    nearest = torch.full((len(rows),), float("inf"))
    for part in second.detach().cpu().flatten(1).split(CHUNK):
        nearest = torch.minimum(nearest, torch.cdist(rows, part.float()).amin(1))
    return nearest.le(NEAR * math.sqrt(rows.shape[1]))


def pack(bits: Tensor) -> str:
    """Looks (N, `BITS`) as text, 24 characters each."""
    weights = 2 ** torch.arange(8)
    values = (bits.reshape(len(bits), -1, 8).long() * weights).sum(2).to(torch.uint8)
    return base64.b64encode(values.numpy().tobytes()).decode()


def unpack(text: str) -> Tensor:
    """The looks that `pack` wrote.

    Raises:
        ValueError: it wrote no such text.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"looks are no base64: {error}") from error
    if len(raw) * 8 % BITS:
        raise ValueError(f"{len(raw)} bytes hold no looks of {BITS} bits")
    values = torch.frombuffer(bytearray(raw), dtype=torch.uint8) if raw else torch.zeros(0)
    bits = values.long()[:, None] >> torch.arange(8) & 1
    return bits.bool().reshape(-1, BITS)
