"""Guesses against the truth: rows of a Record, and what a column of rows comes to."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.invert.contract import Guess
from reports.baseline import SCORES, score_rows
from reports.confidence import Summary, share, summarise
from reports.scores import assign


def scored(
    guess: Guess, truth: Tensor, labels: Tensor, **shared: float | None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Rows and arrays of one batch, after pairing guesses with the truth.

    Args:
        guess: of the batch.
        truth: (B, C, H, W) in [0, 1], on the CPU.
        labels: (B,) int64.
        shared: fields that are the same in all rows of the batch.

    Returns:
        ``{"rows": [...]}``, each with its ``position`` in the batch, and ``{"guess": images}``
        in the order of the truth.
    """
    order = assign(guess.images, truth)
    images = guess.images[order].contiguous()
    rows = [
        {
            "position": position,
            "attack": guess.attack,
            **values,
            "iterations": guess.iterations,
            "stopped": guess.stopped,
            "label": int(labels[position]),
            "label_found": int(guess.labels[order[position]]),
            **shared,
        }
        for position, values in enumerate(score_rows(images, truth))
    ]
    return {"rows": rows}, {"guess": images}


def column_summary(rows: list[dict[str, Any]]) -> dict[str, Summary]:
    """Means of a column's scores, and ``top1``: how often the private image was named first."""
    ranks = [r["rank"] for r in rows if r.get("rank") is not None]
    scores = {s: summarise([r[s] for r in rows]) for s in SCORES}
    return scores | {"top1": share(ranks.count(1), len(ranks))}
