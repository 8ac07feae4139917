"""Sets by the names that torchvision and Hugging Face have for them."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from PIL import Image

import victims
from defenses import BadInput
from defenses.errors import TakenAs


class Image_:
    """Features of `datasets` are told by the names of their classes."""


class ClassLabel:
    names = ("cat", "dog")


Image_.__name__ = "Image"


class Rows(list):
    features = {"photo": Image_(), "what": ClassLabel()}  # noqa: RUF012


@pytest.fixture
def hub(monkeypatch):
    made = types.ModuleType("datasets")
    draw = np.random.default_rng(0)

    def rows(name, split):
        assert split in ("train", "validation")
        shapes = [(9, 9, 3), (9, 9)] if name == "mixed" else [(9, 9, 3)]
        pixels = [draw.integers(0, 256, shapes[i % len(shapes)], np.uint8) for i in range(6)]
        return Rows({"photo": Image.fromarray(p), "what": i % 2} for i, p in enumerate(pixels))

    made.get_dataset_split_names = lambda name: ["train", "validation"]
    made.load_dataset = rows
    monkeypatch.setitem(sys.modules, "datasets", made)


@pytest.mark.parametrize("name", ["plain", "mixed"])
def test_a_set_of_hugging_face_is_its_images_and_classes(hub, name):
    found = victims.load_data(f"hf:{name}", count=4, size=8)
    assert found.images.shape == (4, 3, 8, 8)
    assert found.images.min() >= 0 and found.images.max() <= 1
    assert found.names == ("cat", "dog")
    assert len(victims.load_data(f"hf:{name}", split="train").labels) == 6


def test_a_missing_package_is_one_line_that_gets_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match="needs datasets: pip install datasets"):
        victims.load_data("hf:beans")


def test_a_set_of_torchvision_is_loaded_by_its_name(tmp_path):
    with pytest.raises(BadInput, match="no set 'GTSR' with splits; did you mean GTSRB"):
        victims.load_data("torchvision:GTSR", root=tmp_path)
    for part in ("train", "val"):
        for label in ("a", "b"):
            (tmp_path / part / label).mkdir(parents=True)
    with pytest.raises(BadInput, match="torchvision:ImageNet cannot be had"):
        victims.load_data("torchvision:ImageNet", root=tmp_path)


def test_pictures_in_no_folder_are_one_class(tmp_path):
    for i in range(4):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    with pytest.warns(TakenAs, match="outside class folders are taken as one class"):
        found = victims.load_data(f"folder:{tmp_path}")
    assert (found.labels == 0).all() and found.classes == 2
    (tmp_path / "cat").mkdir()
    with pytest.raises(BadInput):
        victims.load_data(f"folder:{tmp_path}")
