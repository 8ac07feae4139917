"""Loads ``folder:PATH``: class sub-folders of images, on disk or in a zip that stays packed."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from defenses import BadInput
from defenses.errors import PassedOver, TakenAs
from reports.commands.listing import Source, source
from victims.data.data import SPLITS, Data, choose
from victims.data.pictures import FORMATS, Unreadable, grey, header, pixels

MAX_VALUES = 2**30
"""Pixels times channels of all images that are read at once (4 GiB of float32)."""
FLAT = "picture"
"""The class of pictures that lie in no folder."""
ALLOWED = ", ".join(FORMATS)


def folder(
    path: Path, split: str, count: int | None, seed: int, size: int | None, at_most: bool
) -> Data:
    """Labelled images from ``PATH/<class>/*`` or ``PATH/<split>/<class>/*``, or ``PATH/*``.

    Where no picture lies in a folder, all are one class of two; a warning says so.

    Without ``train`` and ``test`` sub-folders, a fixed shuffle gives every other image to each
    split. Pictures in folders below a class folder that itself holds some belong to the class.
    Images are RGB unless the whole folder is grey; only the chosen ones are unpacked. Files that
    are no part of the data are counted in one warning. See `victims.data.pictures` for
    what is read.

    Args:
        path: a folder, or a ``.zip`` of one (whose only top-level folder may hold all the rest).
        split: ``train`` or ``test``.
        count: read this many after a shuffle with ``seed``; None reads all.
        seed: the seed of that shuffle: listings are sorted, so a prefix would be one class.
        at_most: read all, rather than raise, when there are fewer than ``count``.
        size: edge in pixels (shorter side scaled, centre cropped); None: all must agree.

    Raises:
        BadInput: no such path, fewer than two class folders, one without pictures, a layout that
            can be read in two ways, or an image that cannot be read.
    """
    place = source(path)
    start = _only_folder(place)
    named = _classes_of(place, start)  # of every picture: its split (or "") and its class
    colour = not _all_grey(place, named)
    if any(part for part, _ in named.values()):
        chosen = sorted(f for f, (part, _) in named.items() if part == split)
    else:
        files = sorted(named)
        order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0)).tolist()
        chosen = sorted(files[i] for i in order[SPLITS.index(split) :: 2])
    names = sorted({label for _, label in named.values()})
    if not chosen:
        raise BadInput(f"{path} has no images for {split!r} in class sub-folders ({ALLOWED})")
    if names == [FLAT]:
        names = [FLAT, "any other"]  # a classifier has two or more
        told = f"{path}: pictures outside class folders are taken as one class"
        warnings.warn(told, TakenAs, stacklevel=2)
    if len(names) < 2:
        raise BadInput(f"{path} has one class, {names[0]!r}; a classifier needs two or more")
    _warn(place)
    if count is not None:
        index = choose(len(chosen), count, seed, f"folder:{path}", at_most).tolist()
        chosen = [chosen[i] for i in index]
    labels = torch.tensor([names.index(named[f][1]) for f in chosen])
    return Data(_stack(place, chosen, size, colour), labels, len(names), tuple(names))


def _only_folder(place: Source) -> str:
    """The one folder at the top of a zip that holds all pictures, as ``name/``, else nothing."""
    tops = {PurePosixPath(f).parts[0] for f in _pictures(place)}
    if place.path.is_dir() or len(tops) != 1 or tops <= set(SPLITS):
        return ""
    start = f"{tops.pop()}/"
    inside = [f.removeprefix(start) for f in _pictures(place) if f.startswith(start)]
    classes = {PurePosixPath(f).parts[0] for f in inside if "/" in f}
    return start if len(classes) > 1 and all("/" in f for f in inside) else ""


def _pictures(place: Source) -> list[str]:
    """The files whose suffix is a picture's."""
    return [f for f in place.files if PurePosixPath(f).suffix.lower() in FORMATS]


def _classes_of(place: Source, start: str) -> dict[str, tuple[str, str]]:
    """Picture -> (split or "", class); what is no picture of a class goes to ``place.passed``.

    Raises:
        BadInput: an empty class, or pictures whose class could be one folder or another.
    """
    inner = {f: PurePosixPath(f.removeprefix(start)).parts for f in _pictures(place)}
    for name in place.files:
        if name not in inner:
            place.passed[name] = "no picture by its suffix"
    if inner and not place.folders and all(len(p) == 1 for p in inner.values()):
        return {name: ("", FLAT) for name in inner}
    tops = {p[0] for p in inner.values() if len(p) > 1}
    direct = {p[0] for p in inner.values() if len(p) == 2}
    depth = 1 if tops & set(SPLITS) and not direct & set(SPLITS) else 0
    if depth and direct:
        raise BadInput(f"{place.path} holds the class {min(direct)!r} beside train and test")
    named: dict[str, tuple[str, str]] = {}
    deeper: dict[tuple[str, str], str] = {}
    for name, parts in inner.items():
        if len(parts) < depth + 2:
            place.passed[name] = "outside class folders"
        elif depth and parts[0] not in SPLITS:
            place.passed[name] = "neither in train nor in test"
        else:
            key = (parts[0] if depth else "", parts[depth])
            if len(parts) > depth + 2:
                deeper[key] = name
            named[name] = key
    whole = {k for n, k in named.items() if len(inner[n]) == depth + 2}
    for key, name in deeper.items():
        if key not in whole:
            raise BadInput(
                f"{place.path}/{name} lies deeper than in a class folder: give the folder that "
                "holds the class folders"
            )
    _refuse_empty(place, start, depth, set(named.values()))
    return named


def _refuse_empty(place: Source, start: str, depth: int, full: set[tuple[str, str]]) -> None:
    """Raise `BadInput` where a class folder is not of a split and class in ``full``."""
    for name in place.folders:
        if not name.startswith(start):
            continue
        parts = PurePosixPath(name.removeprefix(start)).parts
        if len(parts) != depth + 1 or (depth and parts[0] not in SPLITS):
            continue
        if (parts[0] if depth else "", parts[depth]) not in full:
            inside = [f for f in place.files if f.startswith(f"{name}/")]
            others = f" but {len(inside)} other files, such as {inside[0]}" if inside else ""
            raise BadInput(f"{place.path}/{name} holds no picture{others}; known: {ALLOWED}")


def _all_grey(place: Source, named: dict[str, tuple[str, str]]) -> bool:
    """Whether no picture of either split has colours: all must have as many channels."""
    for name in sorted(named):
        with suppress(OSError, Unreadable), place.open(name) as file:
            if not grey(header(file)):  # type: ignore[arg-type]
                return False
    return True


def _stack(place: Source, chosen: list[str], size: int | None, colour: bool) -> Tensor:
    """(N, C, H, W) of the chosen files."""
    images = torch.empty(0)
    for i, name in enumerate(chosen):
        try:
            image = pixels(place.read(name), size, colour)
        except Exception as error:  # of the file system, of zip and of pictures
            raise BadInput(f"{place.path}/{name} is not a readable image: {error}") from error
        if i == 0:
            if len(chosen) * image.numel() > MAX_VALUES:
                raise BadInput(
                    f"{len(chosen)} images of {tuple(image.shape)} from {place.path} are more "
                    f"than {MAX_VALUES:,} values: give a smaller --count or --size"
                )
            images = torch.empty(len(chosen), *image.shape)
        if image.shape != images.shape[1:]:
            raise BadInput(
                f"{place.path} holds images of different sizes: give --size to scale them"
            )
        images[i] = image
    return images


def _warn(place: Source) -> None:
    """Warn once, with counts, of what is no part of the data."""
    if not place.passed:
        return
    first: dict[str, str] = {}
    for name in sorted(place.passed):
        first.setdefault(place.passed[name], name)
    counts = Counter(place.passed.values())
    counted = "; ".join(f"{counts[why]} {why} ({first[why]})" for why in sorted(counts))
    warnings.warn(f"{place.path}: passed over {counted}", PassedOver, stacklevel=2)
