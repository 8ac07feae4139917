"""Which guess of a batch is of which image."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from reports.scores.images import comparable
from reports.scores.pixel import psnr


def assign(guess: Tensor, truth: Tensor) -> Tensor:
    """(B,) indices that order a batch of guesses so that the summed PSNR with ``truth`` is largest.

    A release does not say which example came first, so a batch is scored after this pairing.
    """
    guess, truth = comparable(guess, truth)
    count = len(truth)
    table = torch.stack([psnr(guess, t.expand(count, *t.shape)) for t in truth])
    return torch.from_numpy(linear_sum_assignment(table.numpy(), maximize=True)[1])
