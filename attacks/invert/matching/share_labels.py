"""Which image goes with which label, where the labels are known."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def share_labels(costs: Tensor) -> Tensor:
    """The image of each label, (B,) int64 on the CPU, at the least cost in all.

    Args:
        costs: (B, n) of each image under each label, n <= B; labels that are left over have the
            numbers from n on.
    """
    named, image = map(torch.as_tensor, linear_sum_assignment(costs.cpu().numpy()))
    order = torch.full((len(costs),), -1)
    order[named] = image
    order[order < 0] = torch.arange(costs.shape[1], len(costs))
    return order
