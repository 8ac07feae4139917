"""Scores of guesses, those made without the release included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reports.estimates import Estimate
from reports.records.scored import PriorRow, ScoreRow
from reports.scores.alexnet import Unavailable
from reports.scores.facts import SCORES
from reports.scores.perceptual import lpips
from reports.scores.pixel import WINDOW, psnr, ssim


def prior_baseline(truth: Tensor, auxiliary: Tensor) -> tuple[dict[str, Any], Tensor]:
    """Scores of guesses made without any release, from the adversary's own images.

    ``mean_image`` is their mean. ``nearest_auxiliary`` is the one closest to the truth, picked
    with the truth in hand: more than an adversary can do, so it errs on the careful side.

    Args:
        truth: (B, C, H, W) in [0, 1].
        auxiliary: (n, C, H, W) in [0, 1], the adversary's own.

    Returns:
        The baseline of a Record: means by guess, and the name and rows of the one with the higher
        mean PSNR; and that guess, (B, C, H, W).
    """
    distance = torch.cdist(truth.flatten(1).double(), auxiliary.flatten(1).double())
    guesses = {
        "mean_image": auxiliary.mean(0, keepdim=True).expand_as(truth),
        "nearest_auxiliary": auxiliary[distance.argmin(1)],
    }
    rows = {name: score_rows(guess, truth) for name, guess in guesses.items()}
    means = {name: means_of(own) for name, own in rows.items()}
    best = max(guesses, key=lambda name: means[name]["psnr"].mean)
    documents = {
        name: {score: mean.document() for score, mean in found.items()}
        for name, found in means.items()
    }
    numbered = [PriorRow(image=i, **row) for i, row in enumerate(rows[best])]
    return {**documents, "shown": best, "rows": numbered}, guesses[best].contiguous()


def score_rows(guess: Tensor, truth: Tensor) -> list[ScoreRow]:
    """PSNR, SSIM and LPIPS of each image; None where a score cannot be had."""
    count = len(truth)
    decibel = psnr(guess, truth).tolist()
    small = min(truth.shape[2:]) < WINDOW
    similar = [None] * count if small else ssim(guess, truth).tolist()
    perceived = lpips_or_reason(guess, truth)[0]
    columns = zip(decibel, similar, perceived, strict=True)
    return [ScoreRow(psnr=p, ssim=s, lpips=d) for p, s, d in columns]


def means_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Estimate]:
    """Score -> its mean over rows that hold a number or None of each."""
    return {n: Estimate.of([row[n] for row in rows], s.range) for n, s in SCORES.items()}


def lpips_or_reason(guess: Tensor, truth: Tensor) -> tuple[list[float | None], str]:
    """LPIPS per image and no reason, or Nones and why not."""
    try:
        return lpips(guess, truth).tolist(), ""
    except Unavailable as error:
        return [None] * len(truth), str(error)
