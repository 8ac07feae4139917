"""Views of images."""

from __future__ import annotations

import torch
from torch import nn

from tests.conftest import seeded
from victims.training.views import PAD, augment


def test_views_are_crops_of_the_padded_image_and_mirror_only_colour():
    images = torch.rand(4, 3, 12, 10, generator=seeded())
    padded = nn.functional.pad(images, (PAD,) * 4, mode="reflect")
    found = augment(images, 6, seeded(1))
    mirrored = 0
    for image, views in zip(padded, found, strict=True):
        crops = image.unfold(1, 12, 1).unfold(2, 10, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        for view in views:
            plain = bool((crops == view).flatten(1).all(1).any())
            flipped = bool((crops == view.flip(-1)).flatten(1).all(1).any())
            assert plain or flipped
            mirrored += flipped and not plain
    assert 0 < mirrored < 24
    assert augment(images[:0], 6, seeded()).shape == (0, 6, 3, 12, 10)
