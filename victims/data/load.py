"""Loads private images by name: built-in sets, torchvision's, folders, and a user's own."""

from __future__ import annotations

import os
from pathlib import Path

from defenses import BadInput
from defenses.errors import meant
from defenses.foreign import import_object
from victims.data import built_in, downloads, folders, trust, zoos
from victims.data.data import BUILT_IN, SPLITS, TORCHVISION, Data, choose, prefix, whole


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
    """Load labelled images in [0, 1].

    Args:
        spec: ``photos``, ``digits``; ``mnist``, ``fashion-mnist``, ``cifar10``, ``cifar100``,
            ``svhn``; ``folder:PATH`` (class sub-folders of images, or images alone, or a zip of
            them); ``torchvision:NAME``, ``hf:NAME`` (`victims.data.zoos`); ``pkg.module:object``,
            called with ``split=`` and returning (images, labels), or such a pair itself.
        root: where torchvision's sets lie; None: ``$LEAKGAUGE_DATA``, else ~/.cache/leakgauge.
        split: ``train`` (the attacker's auxiliary data) or ``test`` (the victim's).
        count: take this many after a shuffle with ``seed`` (``photos``: the first ones, which
            take turns among the photographs); None takes all in stored order.
        seed: the seed of that shuffle.
        at_most: take all images, rather than raise, when there are fewer than ``count``.
        size: edge in pixels for ``photos`` (default 32) and ``folder:`` (default: as stored).

    Raises:
        BadInput: unknown name or split, a set that cannot be had, fewer images than ``count``,
            a size for a set that has its own, or what a user's callable gives is not (N, C, H, W)
            floats in [0, 1] with integer labels (see `victims.data.trust`).
    """
    _check(split, count, seed, size)
    if spec == "photos":
        # Stored order shows each photograph in turn, the chosen crops first: a prefix is right.
        data = built_in.photos(split, 32 if size is None else size)
        total = len(data.labels)
        return data.take(prefix(total, total if count is None else count, spec, at_most))
    base = data_root(root)
    zoo, _, rest = spec.partition(":")
    if spec.startswith("folder:"):
        if not rest.strip():
            raise BadInput("folder: names no path; folder:PATH takes a folder or a zip")
        return folders.folder(Path(rest).expanduser(), split, count, seed, size, at_most)
    if spec in TORCHVISION and (base / f"{spec}.zip").exists():
        # A zip of class folders stands in for the set.
        return folders.folder(base / f"{spec}.zip", split, count, seed, size, at_most)
    if zoo in zoos.LOADERS and rest:
        return zoos.LOADERS[zoo](rest, base, split, count, seed, size, at_most)
    if size is not None and (":" in spec or spec in (*BUILT_IN, *TORCHVISION)):
        raise BadInput(f"{spec} has images of a size of its own; size goes with photos and folder:")
    data = _load_whole(spec, base, split)
    if count is None:
        return data
    return data.take(choose(len(data.labels), count, seed, spec, at_most))


def _check(split: str, count: int | None, seed: int, size: int | None) -> None:
    """Raise `BadInput` for an unknown split, or for what is no number that it must be."""
    if split not in SPLITS:
        raise BadInput(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    for name, value, low in (("count", count, 1), ("size", size, 1), ("seed", seed, 0)):
        if value is not None and not whole(value, low):
            raise BadInput(f"{name} is {value!r:.40}; it must be an integer >= {low}")


def _load_whole(spec: str, base: Path, split: str) -> Data:
    """All images of a set that has a size of its own.

    Raises:
        BadInput: there is no such set.
    """
    if spec == "digits":
        return built_in.digits(split)
    if spec in TORCHVISION:
        return downloads.torchvision_set(spec, base, split)
    if ":" in spec and spec.partition(":")[0] not in zoos.LOADERS:
        return trust.call(import_object(spec, "data"), spec, split)
    known = ", ".join([*BUILT_IN, *TORCHVISION])
    raise BadInput(
        f"unknown data {spec!r}; {meant(spec, [*BUILT_IN, *TORCHVISION])}known: {known}, "
        "folder:PATH, torchvision:NAME, hf:NAME, or pkg.module:callable"
    )


def data_root(given: str | Path | None) -> Path:
    """Where sets lie: ``given``, else ``$LEAKGAUGE_DATA``, else ~/.cache/leakgauge."""
    return Path(given or os.environ.get("LEAKGAUGE_DATA") or Path.home() / ".cache/leakgauge")
