"""The private images of a captured update, where somebody has them to score the guesses by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from defenses import BadInput
from victims.data.pictures import Unreadable, pixels


def load_truth(paths: Sequence[Path], shape: tuple[int, int, int], images: int) -> Tensor:
    """The pictures in these files, (B, C, H, W) float32 in [0, 1].

    Args:
        paths: a picture each, in any order.
        shape: (C, H, W) of the model's images; a grey picture stands for three equal channels.
        images: B, how many the update is of.

    Raises:
        BadInput: another number of files, one that cannot be read as a picture, or one of another
            shape.
    """
    if len(paths) != images:
        raise BadInput(f"--truth names {len(paths)} pictures, but the update is of {images}")
    found = []
    for path in paths:
        try:
            image = pixels(path.read_bytes(), None, colour=shape[0] == 3)
        except (OSError, Unreadable) as error:
            raise BadInput(f"--truth {path} is not a readable picture: {error}") from error
        if tuple(image.shape) != shape:
            shown, wanted = ("x".join(map(str, s)) for s in (image.shape, shape))
            raise BadInput(f"--truth {path} is {shown}; the images of this attack are {wanted}")
        found.append(image)
    return torch.stack(found)


def truth_digest(paths: Sequence[Path]) -> str:
    """Digest of the files, in their order.

    Raises:
        BadInput: one cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        try:
            with open(path, "rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise BadInput(f"--truth {path} is not a readable picture: {error.strerror}") from error
    return whole.hexdigest()
