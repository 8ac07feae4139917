"""Keeps the private images out of what the adversary has: who owns the answer guesses well."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from defenses import BadInput
from victims import Data

SAME_DB = 27.0
"""PSNR above which two images are one. Of 200 test images of `photos`, `digits`, MNIST,
Fashion-MNIST and CIFAR-10 none comes closer than 25 dB to 256 images of the other split; a
photograph saved again as JPEG (quality 75) is at 30 dB from itself."""
FAINT = 0.1
"""Nor are two images one whose difference has more than this share of the private one's variance:
of images with little contrast all are that close."""
EQUAL_DB = 50.0
"""PSNR above which two images are one whatever their contrast: less than one grey level apart."""
SAME_CORRELATION = 0.985
"""Correlation of pixels above which they are one at another brightness or contrast, moved by a
pixel or mirrored; 0.979 is the highest among the same pairs of different images."""
FEWEST = 8
"""With fewer images left the adversary has no prior to speak of."""


def keep_apart(auxiliary: Data, private: Tensor, spec: str) -> tuple[Data, int]:
    """The auxiliary data without what is private, and how many images that took away.

    Args:
        auxiliary: the adversary's own, N images.
        private: (B, C, H, W) in [0, 1], of the same size.
        spec: of the data, for the message.

    Raises:
        BadInput: some had to go, and fewer than `FEWEST` are left.
    """
    same = is_near(auxiliary.images, private)
    dropped = int(same.sum())
    if not dropped:
        return auxiliary, 0
    if len(same) - dropped < FEWEST:
        hint = "" if spec.startswith("folder:") else " (does the callable heed split=?)"
        raise BadInput(
            f"the adversary's own images of {spec} hold the private ones: {dropped} of {len(same)} "
            f"equal one or nearly, and fewer than {FEWEST} others are left; its train and test "
            f"splits must differ{hint}"
        )
    return auxiliary.take(torch.nonzero(~same)[:, 0]), dropped


def is_near(images: Tensor, private: Tensor) -> Tensor:
    """(N,) whether each of images (N, C, H, W) shows the same as one of private (B, C, H, W).

    The same: equal but for an error below `SAME_DB` that is small beside the private image's own
    contrast, or below `EQUAL_DB`; or correlated above `SAME_CORRELATION`, as
    it is, moved by up to a pixel, or mirrored.
    """
    owned, secret = images.double(), private.double()
    size = secret[0].numel()
    error = torch.cdist(owned.flatten(1), secret.flatten(1)).square() / size
    contrast = secret.flatten(1).var(1, correction=0)
    limit = (FAINT * contrast).clamp(10 ** (-EQUAL_DB / 10), 10 ** (-SAME_DB / 10))
    near: Tensor = (error < limit).any(1)
    height, width = secret.shape[2:]
    if min(height, width) < 4:  # too few pixels to correlate
        return near
    inside = _direction(secret[:, :, 1:-1, 1:-1])
    for view in (owned, owned.flip(3)):
        for down in range(3):
            for right in range(3):
                moved = view[:, :, down : down + height - 2, right : right + width - 2]
                near |= (_direction(moved) @ inside.T).amax(1) > SAME_CORRELATION
    return near


def _direction(images: Tensor) -> Tensor:
    """(N, D) pixels without their mean, of length 1; zero for images of one colour."""
    flat = images.flatten(1)
    return F.normalize(flat - flat.mean(1, keepdim=True), dim=1, eps=1e-6)
