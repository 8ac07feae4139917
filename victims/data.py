"""Private images by name: sets that are always there, torchvision's, folders, a user's own."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from defenses import BadInput
from defenses.registry import import_object

BUILT_IN = ("photos", "digits")
TORCHVISION = {
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "svhn": "SVHN",
}
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Data:
    """Labelled images.

    Attributes:
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64 in [0, classes).
        classes: number of labels.
        names: one name per class.
    """

    images: Tensor
    labels: Tensor
    classes: int
    names: tuple[str, ...]

    def take(self, index: Tensor) -> Data:
        """The examples at ``index`` (n,), in that order."""
        return Data(self.images[index], self.labels[index], self.classes, self.names)


def digest(*data: Data) -> str:
    """64 hex digits (SHA-256) that change with any pixel, label, class name, shape or order.

    Files that hold the same pixels under another path or in another format have one digest; it
    tells what a result was measured on after the files themselves have changed.
    """
    found = hashlib.sha256()
    for each in data:
        found.update(json.dumps([each.classes, list(each.names)]).encode())
        for part in (each.images, each.labels):
            pixels = part.detach().cpu().contiguous()
            found.update(f"{pixels.dtype} {tuple(pixels.shape)} ".encode())
            for few in pixels.split(1024):  # a whole set's bytes would be a second copy of it
                found.update(few.numpy().tobytes())
    return found.hexdigest()


def load_data(
    spec: str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    count: int | None = None,
    seed: int = 0,
    size: int | None = None,
    at_most: bool = False,
) -> Data:
    """Labelled images in [0, 1].

    Args:
        spec: ``photos``, ``digits``; ``mnist``, ``fashion-mnist``, ``cifar10``, ``cifar100``,
            ``svhn``; ``folder:PATH`` (class sub-folders of images, or a zip of them);
            ``pkg.module:callable``, called with ``split=`` and returning (images, labels).
        root: where torchvision's sets lie; None: ``$LEAKGAUGE_DATA``, else ~/.cache/leakgauge.
        split: ``train`` (the attacker's auxiliary data) or ``test`` (the victim's).
        count: take this many after a shuffle with ``seed`` (``photos``: the first ones, which
            take turns among the photographs); None takes all in stored order.
        seed: of that shuffle.
        at_most: take all images, rather than raise, when there are fewer than ``count``.
        size: edge in pixels for ``photos`` (default 32) and ``folder:`` (default: as stored).

    Raises:
        BadInput: unknown name or split, a set that cannot be had, fewer images than ``count``,
            a size for a set that has its own, or what a user's callable gives is not (N, C, H, W)
            floats in [0, 1] with integer labels (see `victims.trust`).
    """
    from victims import downloads, folders, photos, trust

    if split not in SPLITS:
        raise BadInput(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    for name, value, low in (("count", count, 1), ("size", size, 1), ("seed", seed, 0)):
        if value is not None and not whole(value, low):
            raise BadInput(f"{name} is {value!r:.40}; it must be an integer >= {low}")
    if spec == "photos":
        # Stored order shows each photograph in turn, the chosen crops first: a prefix is right.
        data = photos.photos(split, 32 if size is None else size)
        total = len(data.labels)
        return data.take(prefix(total, total if count is None else count, spec, at_most))
    if spec.startswith("folder:"):
        if not spec[7:].strip():
            raise BadInput("folder: names no path; folder:PATH takes a folder or a zip")
        return folders.folder(Path(spec[7:]).expanduser(), split, count, seed, size, at_most)
    base = Path(root or os.environ.get("LEAKGAUGE_DATA") or Path.home() / ".cache/leakgauge")
    if spec in TORCHVISION and (base / f"{spec}.zip").exists():
        # A zip of class folders stands in for the set.
        return folders.folder(base / f"{spec}.zip", split, count, seed, size, at_most)
    if size is not None and (spec in (*BUILT_IN, *TORCHVISION) or ":" in spec):
        raise BadInput(f"{spec} has images of a size of its own; size goes with photos and folder:")
    if spec == "digits":
        data = photos.digits(split)
    elif spec in TORCHVISION:
        data = downloads.torchvision_set(spec, base, split)
    elif ":" in spec:
        data = trust.called(import_object(spec, "data"), spec, split)
    else:
        known = ", ".join([*BUILT_IN, *TORCHVISION])
        raise BadInput(
            f"unknown data {spec!r}; known: {known}, folder:PATH, or pkg.module:callable"
        )
    return (
        data if count is None else data.take(choose(len(data.labels), count, seed, spec, at_most))
    )


def whole(value: object, low: int) -> bool:
    """Whether a value is an integer (no switch) from ``low`` to 2**63 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**63


def choose(total: int, count: int, seed: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices: the beginning of a permutation of ``total`` drawn with ``seed``."""
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    return order[prefix(total, count, spec, at_most)]


def prefix(total: int, count: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices 0, 1, ...; all there are, or `BadInput`, when ``count`` is too large."""
    if count < 1 or (count > total and not at_most):
        raise BadInput(f"{spec} has {total} images in this split; {count} were asked for")
    return torch.arange(min(count, total))
