"""Records that have as much as a figure shows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reports.charts.scores_by_step import Moment
from reports.records import Record

MEAN = {"mean": 20.0, "low": 19.0, "high": 21.0, "n": 2}
SHARE = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 2}
SCORES = {"psnr": MEAN, "ssim": SHARE, "lpips": SHARE}


def inversion(images: Tensor, **options: Any) -> Record:
    """A Record whose guesses are the private (n, C, H, W) images themselves."""
    rows = [
        {"image": i, "defense": "none", "adaptive": True, "psnr": 20.0, "ssim": None, "lpips": None}
        for i in range(len(images))
    ]
    scenario = {"model": "mlp", "defense": "none", "data": "x", "attack": "auto", "seed": 0}
    scenario["state"] = "untrained"
    return Record(
        "inversion",
        scenario | {"images": len(images), "batch": 1},
        rows,
        {"none/adaptive": SCORES},
        {"shown": "mean_image", "mean_image": SCORES, "rows": rows},
        {"none": {"options": options, "epsilon": None, "delta": 1e-5}},
        {},
        {"truth": images, "prior": images, "none/adaptive": images},
    )


def moments(names: int = 2, **options: Any) -> list[Moment]:
    """Runs, each attacked at two steps."""
    record = inversion(torch.rand(2, 1, 8, 8), **options)
    return [Moment(f"run {n}", step, record) for n in range(names) for step in (0, 50)]
