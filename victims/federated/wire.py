"""Named tensors as they travel: whole, or as values with their indices where most are 0."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

INDICES = "#indices"
"""What the name of a tensor's indices ends in; the values then stand under the tensor's own."""


def pack(
    update: Mapping[str, Tensor], mask: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Tensors to send: (n,) values and (n,) int32 indices where that is shorter than all values.

    Args:
        update: name -> float tensor.
        mask: name -> bool tensor, True where a value is sent; None: where it is not 0.
    """
    sent: dict[str, Tensor] = {}
    for name, value in update.items():
        chosen = (value != 0 if mask is None else mask[name]).flatten().nonzero()[:, 0]
        if 2 * len(chosen) < value.numel() or (mask is not None and len(chosen) < value.numel()):
            sent[name] = value.flatten()[chosen]
            sent[name + INDICES] = chosen.to(torch.int32)
        else:
            sent[name] = value.contiguous()
    return sent


def unpack(sent: Mapping[str, Tensor], onto: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that were sent, name -> tensor, from somebody who may send anything.

    Values with indices are laid onto a copy of the tensor of their name in ``onto``; what was sent
    whole is taken as it is. Nothing is checked of shapes beyond what laying down needs.

    Raises:
        ValueError: indices do not fit the values or the tensor.
    """
    made: dict[str, Tensor] = {}
    for name, value in sent.items():
        if name.endswith(INDICES):
            continue
        index = sent.get(name + INDICES)
        if index is None:
            made[name] = value
            continue
        base = onto.get(name)
        fits = base is not None and value.ndim == index.ndim == 1 and len(value) == len(index)
        if base is None or not fits or index.dtype != torch.int32 or value.dtype != base.dtype:
            raise ValueError(f"the indices of {name!r:.80} do not fit")
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < base.numel():
            raise ValueError(f"an index of {name!r:.80} is out of range")
        made[name] = base.flatten().scatter(0, index.long(), value).view_as(base)
    return made


def size(sent: Mapping[str, Tensor]) -> int:
    """The bytes of what `pack` gave, without the names."""
    return sum(v.numel() * v.element_size() for v in sent.values())
