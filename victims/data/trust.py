"""Checks images that come from elsewhere, and what two splits must share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from defenses import BadInput
from defenses.errors import TakenAs, one_line
from defenses.foreign import check_call
from victims.data.data import SPLITS, Data

RETURNS = "images (N, C, H, W) floats in [0, 1], labels (N,) integers"
FEW = 4
"""Pictures have at most so many channels, where the last axis is taken for them."""


def call(function: Any, spec: str, split: str) -> Data:
    """Call the user's ``spec`` for a split; what it returns is checked and copied, see `adopt`.

    A pair (images, labels) that is no callable gives every other image to each split.

    Raises:
        BadInput: it is no callable that takes ``split=``, or see `adopt`.
    """
    if isinstance(function, tuple | list | Data):
        whole = adopt(function, f"data {spec!r}")  # every other image is the adversary's own
        return whole.take(torch.arange(len(whole.labels))[SPLITS.index(split) :: 2])
    takes = f"split= and returns (images, labels), {RETURNS}"
    check_call(function, f"data {spec!r}", takes, split=split)
    return adopt(function(split=split), f"data {spec!r}")


def adopt(given: Any, what: str) -> Data:
    """Check and copy a `Data`, or (images, labels), that somebody else has made.

    A copy: what either side does to its tensors later is not seen by the other.

    Raises:
        BadInput: it is no such pair, or see `check`.
    """
    if isinstance(given, Data):
        images, labels = given.images, given.labels
    else:
        if not (isinstance(given, tuple | list) and len(given) == 2):
            raise BadInput(
                f"{what} must return (images, labels), not {type(given).__name__}: {RETURNS}"
            )
        images, labels = given
    pixels, whose = _tensor(images, "images", what), _tensor(labels, "labels", what)
    if not isinstance(given, Data):
        pixels = _recognise(pixels, what)
        _check_pair(pixels, whose, what)
        classes = max(2, int(whose.max()) + 1)
        given = Data(pixels, whose, classes, tuple(map(str, range(classes))))
    check(Data(pixels, whose, given.classes, given.names), what)
    copy = pixels.to(torch.float32, copy=True).contiguous()
    return Data(copy, whose.to(torch.int64, copy=True), int(given.classes), tuple(given.names))


def check(data: Data, what: str) -> None:
    """Raise `BadInput` unless images are (N, C, H, W) floats in [0, 1], N >= 1, and labels fit."""
    _check_pair(data.images, data.labels, what)
    classes, names = data.classes, data.names
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise BadInput(f"{what} has {classes!r:.40} classes; it must be an integer >= 2")
    if len(names) != classes or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{what} names {len(names)} classes of {classes}: one text for each")
    if int(data.labels.max()) >= classes:
        high = int(data.labels.max())
        raise BadInput(
            f"{what} has labels up to {high}; {classes} classes allow [0, {classes - 1}]"
        )


def agree(one: Data, other: Data, what: str) -> None:
    """Raise `BadInput` unless two splits have images of one shape and the same classes.

    Where one names more classes than the other, the first ones must be the same.
    """
    shapes = tuple(one.images.shape[1:]), tuple(other.images.shape[1:])
    if shapes[0] != shapes[1]:
        raise BadInput(
            f"the train and test images of {what} differ in shape: {shapes[0]}, {shapes[1]}"
        )
    for name, its in zip(one.names, other.names, strict=False):
        if name != its:
            raise BadInput(f"the train and test classes of {what} differ: {name:.40}, {its:.40}")


def _tensor(value: Any, part: str, what: str) -> Tensor:
    """Somebody's images or labels as a dense tensor on the CPU."""
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(np.asarray(value))
        except (TypeError, ValueError, RuntimeError) as error:
            why = one_line(error, 160)
            raise BadInput(
                f"{what} must return {part} that are one array of numbers: {why}"
            ) from error
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        raise BadInput(f"{what} must return {part} that are a dense tensor of numbers")
    plain: Tensor = value.detach().as_subclass(torch.Tensor).cpu()  # type: ignore[assignment]
    return plain


def _recognise(images: Tensor, what: str) -> Tensor:
    """Images with the channels last, or of bytes, as they are meant; a warning says so."""
    if images.ndim == 4 and 0 not in images.shape:
        channels, high, wide = images.shape[1:]
        if channels > FEW < high and wide <= FEW:
            told = f"{what}: {tuple(images.shape)} is taken as (N, H, W, C)"
            warnings.warn(told, TakenAs, stacklevel=4)
            images = images.permute(0, 3, 1, 2)
    if images.dtype == torch.uint8:
        warnings.warn(f"{what}: bytes are taken as 255 times [0, 1]", TakenAs, stacklevel=4)
        images = images.float() / 255
    return images


def _check_pair(images: Tensor, labels: Tensor, what: str) -> None:
    """Raise `BadInput` unless images and labels are what `check` says, the classes apart."""
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        shapes = f"{tuple(images.shape)} and {tuple(labels.shape)}"
        raise BadInput(f"{what} returned {shapes}; it must be (N, C, H, W) and (N,)")
    if 0 in images.shape:
        raise BadInput(f"{what} must return at least one image, with pixels: {tuple(images.shape)}")
    channels, high, wide = images.shape[1:]
    if channels > FEW < high and (wide <= FEW or channels == high > wide):
        raise BadInput(
            f"{what} returned {tuple(images.shape)}, which looks like (N, H, W, C); it must be "
            "(N, C, H, W), channels first"
        )
    if not images.is_floating_point():
        raise BadInput(
            f"{what} returned images of {images.dtype}; they must be floats, all of them in [0, 1]"
        )
    low, top = (float(edge) for edge in images.aminmax())
    if not (low >= 0 and top <= 1):
        raise BadInput(
            f"{what} must return images all of them in [0, 1], without NaN; they lie in "
            f"[{low:.4g}, {top:.4g}] (a model normalises in its first layer)"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise BadInput(f"{what} must return labels that are integers >= 0, not {labels.dtype}")
    if int(labels.to(torch.int64).min()) < 0:
        raise BadInput(f"{what} must return labels that are integers >= 0")
