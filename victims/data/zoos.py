"""Loads any image classification set of torchvision, and of Hugging Face by `datasets`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from defenses import BadInput
from defenses.errors import meant, one_line
from victims.data.data import Data, choose
from victims.data.pictures import square

Picture = Callable[[int], tuple[Any, int]]
"""Index -> the picture of Pillow, and its label."""


def torchvision_set(
    name: str, base: Path, split: str, count: int | None, seed: int, size: int | None, most: bool
) -> Data:
    """Images of ``torchvision.datasets.NAME``, whose pictures lie below ``base``.

    Args:
        name: of the class, ``GTSRB``; it takes ``train=`` or ``split=``.
        base: the folder of its files, where they are put if they are not there.
        split: ``train`` or ``test``.
        count: see `victims.load_data`, as are the others.
        seed: of the shuffle.
        size: edge in pixels; None: as stored.
        most: take all where there are fewer than ``count``.

    Raises:
        BadInput: no such set, or one that cannot be had.
    """
    from torchvision import datasets

    kinds = [k for k in datasets.__all__ if {"split", "train"} & _takes(getattr(datasets, k))]
    if name not in kinds:
        told = f"torchvision has no set {name!r} with splits; {meant(name, kinds)}it has: "
        raise BadInput(told + ", ".join(kinds))
    kind = getattr(datasets, name)
    takes = _takes(kind)
    which: dict[str, Any] = {"train": split == "train"} if "train" in takes else {"split": split}
    if "download" in takes:
        which["download"] = True
    try:
        found = kind(str(base), **which)
        label = int(found[0][1])
    except Exception as error:  # urllib, ssl and torchvision each raise their own
        raise BadInput(f"torchvision:{name} cannot be had: {one_line(error, 200)}") from error
    names = tuple(map(str, getattr(found, "classes", ()))) or _class_names(found, label)

    def picture(i: int) -> tuple[Any, int]:
        image, label = found[i]
        return image, label

    return _take(picture, len(found), names, f"torchvision:{name}", count, seed, size, most)


def hf_set(
    name: str, base: Path, split: str, count: int | None, seed: int, size: int | None, most: bool
) -> Data:
    """Images of a set of Hugging Face, by its first column of images and its first of classes.

    See `torchvision_set`; where there is no split ``test``, ``validation`` stands for it.

    Raises:
        BadInput: `datasets` is not installed, or there is no such set.
    """
    try:
        import datasets  # type: ignore[import-not-found]
    except ImportError as error:
        raise BadInput(f"data hf:{name} needs datasets: pip install datasets") from error
    try:
        known = datasets.get_dataset_split_names(name)
        part = split if split in known or "validation" not in known else "validation"
        found = datasets.load_dataset(name, split=part)
    except Exception as error:  # the network, another version's
        raise BadInput(f"hf:{name} cannot be had: {one_line(error, 200)}") from error
    kinds = {column: type(kind).__name__ for column, kind in found.features.items()}
    image = next((c for c, kind in kinds.items() if kind == "Image"), None)
    label = next((c for c, kind in kinds.items() if kind == "ClassLabel"), None)
    if image is None or label is None:
        raise BadInput(f"hf:{name} has no column of images or none of classes; it has: {kinds}")
    names = tuple(found.features[label].names)

    def picture(i: int) -> tuple[Any, int]:
        row = found[i]
        return row[image], row[label]

    return _take(picture, len(found), names, f"hf:{name}", count, seed, size, most)


LOADERS: dict[str, Callable[..., Data]] = {"torchvision": torchvision_set, "hf": hf_set}
"""The word before the colon -> what loads the set that is named after it."""


def _takes(kind: Any) -> set[str]:
    return set(inspect.signature(kind).parameters)


def _class_names(found: Any, label: int) -> tuple[str, ...]:
    """Names of classes that a set only numbers."""
    for place in ("targets", "labels", "_labels"):
        if (numbers := getattr(found, place, None)) is not None:
            label = int(max(numbers))
            break
    return tuple(map(str, range(max(2, label + 1))))


def _take(
    picture: Picture,
    total: int,
    names: tuple[str, ...],
    spec: str,
    count: int | None,
    seed: int,
    size: int | None,
    most: bool,
) -> Data:
    """The chosen pictures as tensors; only they are unpacked."""
    order: Sequence[int] = range(total)
    if count is not None:
        order = choose(total, count, seed, spec, most).tolist()
    pairs = [picture(i) for i in order]
    images = [_pixels(image, size) for image, _ in pairs]
    if len({len(image) for image in images}) > 1:  # grey ones among others
        images = [image.expand(3, -1, -1) for image in images]
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise BadInput(f"{spec} holds images of different sizes: give --size")
    labels = torch.tensor([int(label) for _, label in pairs])
    return Data(torch.stack(images), labels, len(names), names)


def _pixels(image: Any, size: int | None) -> Tensor:
    """(C, H, W) in [0, 1] of a picture of Pillow: grey ones have one channel, all others three."""
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    array = np.array(image if size is None else square(image, size))
    return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1)) / 255
