"""Loads public examples for defenses that learn from some, and refuses private ones."""

from __future__ import annotations

import torch

from defenses import BadInput
from victims.data.data import Data
from victims.data.load import load_data
from victims.data.people import matches
from victims.training import Training


def anchors_of(training: Training, *, data_root: str | None, seed: int) -> Data | None:
    """Load the public examples that a training names; None where it names none.

    Args:
        training: the training, of which ``public``, ``anchors`` and ``size`` count.
        data_root: see `victims.load_data`.
        seed: the seed that chooses the examples.
    """
    t = training
    if t.public is None:
        return None
    where = {"root": data_root, "size": t.size, "seed": seed}
    return load_data(t.public, split="train", count=t.anchors, at_most=True, **where)  # type: ignore[arg-type]


def refuse_private(anchors: Data | None, private: torch.Tensor, whose: str) -> None:
    """Raise `BadInput` where an anchor is one of the images (N, C, H, W) that are not public.

    Mirrored ones count as well; moved and cropped ones are not recognised.
    Nothing is guaranteed to an anchor, so an epsilon printed beside it would be false.
    """
    if anchors is None:
        return
    same = matches(anchors.images, private) | matches(anchors.images.flip(-1), private)
    if bool(same.any()):
        raise BadInput(
            f"{int(same.sum())} of the {len(same)} public examples of --public are among "
            f"{whose}, or nearly equal to them: name data of which no example is private"
        )
