"""Pictures of images of any number of channels."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from reports.pictures import picture
from reports.records.images import channel_note, drawable


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_a_tile_has_a_channel_or_three(channels):
    image = torch.linspace(0, 1, channels)[:, None, None].expand(channels, 5, 7)
    found = np.asarray(Image.open(io.BytesIO(picture.png(image))))
    assert drawable(image[None]) is not None
    if channels == 3:
        assert found.shape == (5, 7, 3)
        assert found[0, 0].tolist() == [0, 128, 255]
        assert channel_note(image[None]) == ""
    else:
        assert found.shape == (5, 7)
        assert abs(int(found[0, 0]) - 255 * float(image.mean())) < 1
        told = channel_note(image[None])
        assert told == ("" if channels == 1 else f"grey: the mean of {channels} channels")
