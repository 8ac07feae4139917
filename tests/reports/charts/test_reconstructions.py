"""Figures of images of any number of channels and any size."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from reports.charts import exposed_members, reconstructions
from reports.pictures import picture
from reports.records import Record
from reports.records.images import channel_note, drawable

MEAN = {"mean": 20.0, "low": 19.0, "high": 21.0, "n": 2}


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


def record(channels, edge, count):
    images = torch.rand(count, channels, edge, edge)
    rows = [
        {"image": i, "defense": "none", "adaptive": True, "psnr": 20.0, "ssim": None, "lpips": None}
        for i in range(count)
    ]
    scenario = {"model": "mlp", "defense": "none", "data": "x", "images": count, "batch": 1}
    baseline = {"shown": "mean_image", "mean_image": {"psnr": MEAN}, "rows": rows}
    bounds = {"none": {"options": {}, "epsilon": None, "delta": 1e-5}}
    arrays = {"truth": images, "prior": images, "none/adaptive": images, "exposed": images}
    summary = {"none/adaptive": {"psnr": MEAN}, "strongest": "loss"}
    members = [{"member": i % 2 == 0, "label": "$x", "false_alarms": 0} for i in range(2 * count)]
    return Record("inversion", scenario, rows, summary, baseline, bounds, {}, arrays), members


@pytest.mark.parametrize(("channels", "edge", "count"), [(2, 8, 2), (4, 1, 2), (13, 5, 40)])
def test_grids_of_any_images_are_drawn(channels, edge, count, tmp_path):
    made, members = record(channels, edge, count)
    assert reconstructions.reconstructions(made, tmp_path / "grid.png").stat().st_size > 1000
    made = Record(**{**vars(made), "rows": members})
    assert exposed_members.exposed(made, tmp_path / "exposed.png").stat().st_size > 1000
