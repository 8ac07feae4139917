"""Scores of guesses, those made without the release included."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reports import scores
from reports.estimates import Estimate
from reports.scores.alexnet import Unavailable

SCORES = ("psnr", "ssim", "lpips")


def prior_baseline(truth: Tensor, auxiliary: Tensor, arrays: dict[str, Tensor]) -> dict[str, Any]:
    """Scores of guesses made without any release, from the adversary's own images.

    ``mean_image`` is their mean. ``nearest_auxiliary`` is the one closest to the truth, picked
    with the truth in hand: more than an adversary can do, so it errs on the careful side. The
    one with the higher mean PSNR goes into ``arrays["prior"]``.
    """
    mean = auxiliary.mean(0, keepdim=True).expand_as(truth)
    distance = torch.cdist(truth.flatten(1).double(), auxiliary.flatten(1).double())
    means: dict[str, dict[str, Estimate]] = {}
    rows = {}
    guesses = {"mean_image": mean, "nearest_auxiliary": auxiliary[distance.argmin(1)]}
    for name, guess in guesses.items():
        rows[name] = score_rows(guess, truth)
        means[name] = {s: Estimate.of([r[s] for r in rows[name]], scores.RANGES[s]) for s in SCORES}
    best = max(guesses, key=lambda n: means[n]["psnr"].mean)
    arrays["prior"] = guesses[best].contiguous()
    shown = [{"image": i, **row} for i, row in enumerate(rows[best])]
    told = {name: {s: e.document() for s, e in found.items()} for name, found in means.items()}
    return {**told, "shown": best, "rows": shown}


def score_rows(guess: Tensor, truth: Tensor) -> list[dict[str, float | None]]:
    """PSNR, SSIM and LPIPS of each image; None where a score cannot be had."""
    count = len(truth)
    decibel = scores.psnr(guess, truth).tolist()
    small = min(truth.shape[2:]) < scores.WINDOW
    similar = [None] * count if small else scores.ssim(guess, truth).tolist()
    perceived = lpips_or_reason(guess, truth)[0]
    columns = zip(decibel, similar, perceived, strict=True)
    return [dict(zip(SCORES, values, strict=True)) for values in columns]


def lpips_or_reason(guess: Tensor, truth: Tensor) -> tuple[list[float | None], str]:
    """LPIPS per image and no reason, or Nones and why not."""
    try:
        return scores.lpips(guess, truth).tolist(), ""
    except Unavailable as error:
        return [None] * len(truth), str(error)
