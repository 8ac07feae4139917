"""People known by their images."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import seeded
from victims.data import load_data
from victims.data.people import count_matches, looks, matches, pack, unpack


class TestPeople:
    def test_a_look_outlives_jpeg_and_another_size(self):
        images = load_data("photos", split="train", size=64).images[:100]
        known = looks(images)
        assert count_matches(known, known) == 100
        assert torch.equal(unpack(pack(known)), known)
        assert count_matches(looks(jpeg(images)), known) > 60
        smaller = load_data("photos", split="train", size=32).images[:100]
        assert count_matches(looks(smaller), known) > 90
        noise = looks(torch.rand(200, 3, 64, 64, generator=seeded()))
        assert count_matches(noise[:100], torch.cat([known, noise[100:]])) == 0

    def test_equal_and_nearly_equal_images_are_shared(self):
        images = load_data("photos", split="train").images
        near = torch.stack([images[3], (images[7] * 255).round() / 255, jpeg(images[9:10])[0]])
        others = torch.cat([torch.rand(2, 3, 32, 32, generator=seeded()), near])
        assert matches(others, images).tolist() == [False, False, True, True, True]
        assert not matches(images[:0], images).any()
        assert not matches(others[:2], images[:0]).any()

    @pytest.mark.parametrize("text", ["?", "AAAA", None])
    def test_damaged_looks_are_refused(self, text):
        with pytest.raises(ValueError, match="looks"):
            unpack(text)


def jpeg(images):
    found = []
    for image in images:
        pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype("uint8")
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        found.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255)
    return torch.stack(found)
