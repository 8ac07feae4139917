"""``folder:PATH``: class sub-folders of images, on disk or in a zip that stays packed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from defenses import BadInput
from victims.data import SPLITS, Data, choose

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"}
MAX_BYTES = 64 * 2**20
"""A larger picture, or one that unpacks to more from a zip, is refused."""


def folder(
    path: Path, split: str, count: int | None, seed: int, size: int | None, at_most: bool
) -> Data:
    """Labelled images from ``PATH/<class>/*`` or ``PATH/<split>/<class>/*``.

    Without ``train`` and ``test`` sub-folders, a fixed shuffle gives every other image to each
    split. Images are RGB unless every one read is grey; only the chosen ones are read.

    Args:
        path: a folder, or a ``.zip`` of one.
        split: ``train`` or ``test``.
        count: read this many after a shuffle with ``seed``; None reads all.
        seed: of that shuffle. Listings are sorted by class, so a prefix would be one class.
        at_most: read all, rather than raise, when there are fewer than ``count``.
        size: edge in pixels (shorter side scaled, centre cropped); None: all must agree.

    Raises:
        BadInput: no such path, fewer than two class folders, no images, or one that cannot
            be read.
    """
    read, entries = _open(path)
    files = sorted(e for e in entries if PurePosixPath(e).suffix.lower() in SUFFIXES)
    parts = [PurePosixPath(f).parts for f in files]
    if split in {p[0] for p in parts if len(p) == 3} <= set(SPLITS):
        chosen = [f for f, p in zip(files, parts, strict=True) if len(p) == 3 and p[0] == split]
    else:
        files = [f for f, p in zip(files, parts, strict=True) if len(p) == 2]
        order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0)).tolist()
        chosen = sorted(files[i] for i in order[SPLITS.index(split) :: 2])
        parts = [PurePosixPath(f).parts for f in files]
    names = sorted({p[-2] for p in parts})
    if not chosen:
        allowed = ", ".join(sorted(SUFFIXES))
        raise BadInput(f"{path} has no images for {split!r} in class sub-folders ({allowed})")
    if len(names) < 2:
        raise BadInput(f"{path} has one class, {names[0]!r}; a classifier needs two or more")
    if count is not None:
        index = choose(len(chosen), count, seed, f"folder:{path}", at_most).tolist()
        chosen = [chosen[i] for i in index]
    images = [_decode(read, path, f, size) for f in chosen]
    if len({i.size for i in images}) > 1:
        raise BadInput(f"{path} holds images of different sizes: give --size to scale them")
    mode = "L" if all(i.mode == "L" for i in images) else "RGB"
    pixels = torch.from_numpy(np.stack([np.asarray(i.convert(mode)) for i in images]))
    pixels = pixels[:, None] if mode == "L" else pixels.permute(0, 3, 1, 2)
    labels = torch.tensor([names.index(PurePosixPath(f).parts[-2]) for f in chosen])
    return Data(pixels.float() / 255, labels, len(names), tuple(names))


def _open(path: Path) -> tuple[Callable[[str], bytes], list[str]]:
    """A reader of entries by name, and the names."""
    if path.is_dir():
        names = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
        return lambda name: (path / name).read_bytes(), names
    if not path.is_file():
        raise BadInput(f"{path} does not exist; folder: takes a folder of class folders or a zip")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{path} is neither a folder nor a readable zip: {error}") from error
    sizes = {i.filename: i.file_size for i in archive.infolist() if not i.is_dir()}

    def read(name: str) -> bytes:
        if sizes[name] > MAX_BYTES:
            raise OSError(f"it unpacks to more than {MAX_BYTES >> 20} MiB")
        return archive.read(name)

    return read, list(sizes)


def _decode(read: Callable[[str], bytes], path: Path, name: str, size: int | None) -> Image.Image:
    try:
        opened = Image.open(io.BytesIO(read(name)))
        opened.load()
    except (
        OSError,
        ValueError,
        SyntaxError,
        zipfile.BadZipFile,
        UnidentifiedImageError,
        Image.DecompressionBombError,
    ) as error:
        raise BadInput(f"{path}/{name} is not a readable image: {error}") from error
    image: Image.Image = opened
    if size is not None:
        scale = size / min(image.size)
        wide, high = (max(size, round(edge * scale)) for edge in image.size)
        image = image.resize((wide, high), Image.Resampling.LANCZOS)
        left, top = (wide - size) // 2, (high - size) // 2
        image = image.crop((left, top, left + size, top + size))
    return image
