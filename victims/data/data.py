"""Labelled images: the type, their digest, and the choice of some of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import BadInput

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
    hashed = hashlib.sha256()
    for each in data:
        hashed.update(json.dumps([each.classes, list(each.names)]).encode())
        for part in (each.images, each.labels):
            pixels = part.detach().cpu().contiguous()
            hashed.update(f"{pixels.dtype} {tuple(pixels.shape)} ".encode())
            for few in pixels.split(1024):  # a whole set's bytes would be a second copy of it
                hashed.update(few.numpy().tobytes())
    return hashed.hexdigest()


def whole(value: object, low: int) -> bool:
    """Whether a value is an integer (no switch) from ``low`` to 2**63 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**63


def choose(total: int, count: int, seed: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices: the beginning of a permutation of ``total``, drawn with ``seed``.

    For ``at_most`` see `prefix`; ``spec`` is the data's name, for the message.
    """
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    return order[prefix(total, count, spec, at_most)]


def prefix(total: int, count: int, spec: str, at_most: bool) -> Tensor:
    """(count,) indices 0, 1, ...; where ``count`` is too large all there are, if it is ``at_most``.

    Raises:
        BadInput: more images than there are, or none, were asked for.
    """
    if count < 1 or (count > total and not at_most):
        raise BadInput(f"{spec} has {total} images in this split; {count} were asked for")
    return torch.arange(min(count, total))
