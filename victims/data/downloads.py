"""Loads torchvision's sets from the disk or from the network."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import torch

from defenses import BadInput
from defenses.errors import one_line
from victims.data.data import TORCHVISION, Data
from victims.data.trust import check


def torchvision_set(spec: str, base: Path, split: str) -> Data:
    """Load a split of ``mnist``, ``fashion-mnist``, ``cifar10``, ``cifar100`` or ``svhn``.

    Args:
        spec: one of `TORCHVISION`.
        base: the folder of its files, where they are put if they are not there.
        split: ``train`` or ``test``.

    Raises:
        BadInput: the set is not there and cannot be had, or its files are damaged.
    """
    import torchvision

    loader = getattr(torchvision.datasets, TORCHVISION[spec])
    which = {"split": split} if spec == "svhn" else {"train": split == "train"}
    try:
        loaded = loader(str(base), download=False, **which)
    except Exception:  # missing, or damaged: each format fails in its own way
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                loaded = loader(str(base), download=True, **which)
        except Exception as error:  # urllib, ssl and torchvision each raise their own
            reason = one_line(error, 120)
            raise BadInput(
                f"{spec} is not, or damaged, under {base} and cannot be downloaded ({reason}); "
                "'photos' and 'digits' always work"
            ) from error
    pixels = torch.as_tensor(np.asarray(loaded.data))
    labels = torch.as_tensor(np.asarray(loaded.labels if spec == "svhn" else loaded.targets))
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    names = tuple(getattr(loaded, "classes", None) or map(str, range(10)))
    data = Data(pixels.float() / 255, labels.long(), len(names), names)
    check(data, f"{spec} under {base}")
    return data
