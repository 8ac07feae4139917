"""Private images by name: sets that are always there, torchvision's, folders, a user's own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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


def digest(data: Data) -> str:
    """64 hex digits (SHA-256) that change with any pixel, label, class name, shape or order.

    Files that hold the same pixels under another path or in another format have one digest; it
    tells what a result was measured on after the files themselves have changed.
    """
    found = hashlib.sha256(json.dumps([data.classes, list(data.names)]).encode())
    for part in (data.images, data.labels):
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
            images outside [0, 1] or labels that are not integers.
    """
    from victims import folders, photos

    if split not in SPLITS:
        raise BadInput(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    if spec == "photos":
        # Stored order shows each photograph in turn, the chosen crops first: a prefix is right.
        data = photos.photos(split, size or 32)
        return data if count is None else data.take(prefix(len(data.labels), count, spec, at_most))
    elif spec == "digits":
        data = photos.digits(split)
    elif spec.startswith("folder:"):
        return folders.folder(Path(spec[7:]), split, count, seed, size, at_most)
    elif spec in TORCHVISION:
        base = Path(root or os.environ.get("LEAKGAUGE_DATA") or Path.home() / ".cache/leakgauge")
        archive = base / f"{spec}.zip"
        if archive.exists():  # a zip of class folders stands in for the set
            return folders.folder(archive, split, count, seed, size, at_most)
        data = _torchvision(spec, base, split)
    elif ":" in spec:
        data = checked(import_object(spec, "data")(split=split), spec)
    else:
        known = ", ".join([*BUILT_IN, *TORCHVISION])
        raise BadInput(
            f"unknown data {spec!r}; known: {known}, folder:PATH, or pkg.module:callable"
        )
    return (
        data if count is None else data.take(choose(len(data.labels), count, seed, spec, at_most))
    )


def choose(total: int, count: int, seed: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices: the beginning of a permutation of ``total`` drawn with ``seed``."""
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    return order[prefix(total, count, spec, at_most)]


def prefix(total: int, count: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices 0, 1, ...; all there are, or `BadInput`, when ``count`` is too large."""
    if count < 1 or (count > total and not at_most):
        raise BadInput(f"{spec} has {total} images in this split; {count} were asked for")
    return torch.arange(min(count, total))


def checked(found: Any, spec: str) -> Data:
    """What a user's callable returned, as `Data`, after looking at shapes, types and range."""
    if isinstance(found, Data):
        return found
    try:
        images, labels = (torch.as_tensor(np.asarray(part)) for part in found)
    except (TypeError, ValueError) as error:
        raise BadInput(f"data {spec!r} must return (images, labels): {error}") from error
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        shapes = f"{tuple(images.shape)} and {tuple(labels.shape)}"
        raise BadInput(f"data {spec!r} returned {shapes}; it must be (N, C, H, W) and (N,)")
    images = images.float()
    if len(images) == 0 or not (images.min() >= 0 and images.max() <= 1):
        raise BadInput(f"data {spec!r} must return at least one image, all of them in [0, 1]")
    if labels.is_floating_point() or labels.min() < 0:
        raise BadInput(f"data {spec!r} must return labels that are integers >= 0")
    classes = max(2, int(labels.max()) + 1)
    return Data(images, labels.long(), classes, tuple(map(str, range(classes))))


def _torchvision(spec: str, base: Path, split: str) -> Data:
    import torchvision

    loader = getattr(torchvision.datasets, TORCHVISION[spec])
    which = {"split": split} if spec == "svhn" else {"train": split == "train"}
    try:
        found = loader(str(base), download=False, **which)
    except (RuntimeError, OSError):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = loader(str(base), download=True, **which)
        except Exception as error:  # urllib, ssl and torchvision each raise their own
            reason = " ".join(str(error).split())[:120]
            raise BadInput(
                f"{spec} is not under {base} and cannot be downloaded ({reason}); "
                "'photos' and 'digits' always work"
            ) from error
    pixels = torch.as_tensor(np.asarray(found.data))
    labels = torch.as_tensor(np.asarray(found.labels if spec == "svhn" else found.targets))
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    names = tuple(getattr(found, "classes", None) or map(str, range(10)))
    return Data(pixels.float() / 255, labels.long(), len(names), names)
