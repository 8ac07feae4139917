"""Loads the two sets that need no network: scikit-image's photographs, scikit-learn's digits."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from defenses import BadInput
from victims.data.data import Data

# Centre (row, column) and edge of the first crop, as fractions of the photograph's height,
# width and shorter side: the face, the cat, the cup, the rocket.
PRIVATE = {
    "astronaut": (0.22, 0.44, 0.42),
    "chelsea": (0.45, 0.52, 0.85),
    "coffee": (0.45, 0.55, 0.95),
    "rocket": (0.50, 0.50, 0.95),
}
AUXILIARY = ("china", "flower", "motorcycle", "hubble", "retina", "ihc")
NAMES = (*PRIVATE, *AUXILIARY)
CROPS = 48


@functools.cache
def _photograph(name: str) -> Image.Image:
    from skimage import data

    if name in ("china", "flower"):
        return _of_scikit_learn(f"{name}.jpg")
    if name == "motorcycle":
        pixels = data.stereo_motorcycle()[0]
    else:
        source = {"hubble": "hubble_deep_field", "ihc": "immunohistochemistry"}.get(name, name)
        pixels = getattr(data, source)()
    return Image.fromarray(np.asarray(pixels)[..., :3])


def _of_scikit_learn(name: str) -> Image.Image:
    """A picture that lies beside scikit-learn, which is not imported for it: that takes 130 MB."""
    found = find_spec("sklearn")
    assert found is not None and found.submodule_search_locations  # it is installed with us
    with Image.open(Path(found.submodule_search_locations[0], "datasets", "images", name)) as file:
        return file.convert("RGB")


def _crop(image: Image.Image, row: float, column: float, edge: int, size: int) -> np.ndarray:
    left = int(np.clip(column * image.width - edge / 2, 0, image.width - edge))
    top = int(np.clip(row * image.height - edge / 2, 0, image.height - edge))
    box = (left, top, left + edge, top + edge)
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box))


@functools.cache
def photos(split: str, size: int = 32) -> Data:
    """Square colour crops of ten photographs; a photograph is in one split only.

    ``test`` (192 images) begins with one chosen crop of each of four photographs, the private
    ones; random crops of them follow. ``train`` (288) holds random crops of six others. The
    label is the photograph's index among the ten.

    Args:
        split: ``train`` or ``test``.
        size: edge in pixels, 8 to 128.
    """
    if not 8 <= size <= 128:
        raise BadInput(f"photos come in sizes from 8 to 128 pixels, not {size}")
    draw = np.random.default_rng(2021 if split == "train" else 2022)
    crops, labels = [], []
    if split == "test":
        for name, (row, column, share) in PRIVATE.items():
            image = _photograph(name)
            crops.append(_crop(image, row, column, int(share * min(image.size)), size))
            labels.append(NAMES.index(name))
    members = tuple(PRIVATE) if split == "test" else AUXILIARY
    for i in range(CROPS - (split == "test")):
        for name in members:
            image = _photograph(name)
            shorter = min(image.size)
            edge = int(shorter * draw.uniform(0.25, 1.0)) if i else shorter
            row, column = draw.uniform(0, 1, 2)
            crops.append(_crop(image, row, column, max(edge, size), size))
            labels.append(NAMES.index(name))
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    return Data(pixels, torch.tensor(labels), len(NAMES), NAMES)


def digits(split: str) -> Data:
    """scikit-learn's 8x8 handwritten digits: 1,297 to train, 500 to test, one channel."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    part = slice(None, 1297) if split == "train" else slice(1297, None)
    pixels = torch.from_numpy(bunch.images[part]).float()[:, None] / 16
    labels = torch.from_numpy(bunch.target[part]).long()
    return Data(pixels, labels, 10, tuple(map(str, range(10))))
