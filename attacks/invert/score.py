"""Guesses against the truth: rows of a Record, and what a column of rows comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from attacks.invert.contract import Guess
from reports.estimates import Estimate
from reports.records.inversion import Guessed
from reports.scores import assign
from reports.scores.prior import means_of, score_rows


def score(
    guess: Guess,
    truth: Tensor,
    labels: Tensor,
    *,
    seconds: float,
    evaluations: int,
    practice: int,
    wire_bytes: int,
    rank: int | None,
    fisher_psnr: float | None,
) -> tuple[dict[str, list[Guessed]], dict[str, Tensor]]:
    """Rows and arrays of one batch, after pairing guesses with the truth.

    Args:
        guess: of the batch.
        truth: (B, C, H, W) in [0, 1], on the CPU.
        labels: (B,) int64.
        seconds: see `Guessed`, as the others; they are the same in all rows of the batch.
        evaluations: see `Guessed`.
        practice: see `Guessed`.
        wire_bytes: see `Guessed`.
        rank: see `Guessed`.
        fisher_psnr: see `Guessed`.

    Returns:
        ``{"rows": [...]}`` with labels paired by `pair_labels`, and ``{"guess": images}``, both in
        the order of the truth.
    """
    order = assign(guess.images, truth)
    found = pair_labels(labels.tolist(), guess.labels[order].tolist())
    images = guess.images[order].contiguous()
    rows = []
    for position, scores in enumerate(score_rows(images, truth)):
        row = Guessed(
            attack=guess.attack,
            psnr=scores["psnr"],
            ssim=scores["ssim"],
            lpips=scores["lpips"],
            iterations=guess.iterations,
            stopped=guess.stopped,
            label=int(labels[position]),
            label_found=found[position],
            seconds=seconds,
            evaluations=evaluations,
            practice=practice,
            wire_bytes=wire_bytes,
            rank=rank,
            fisher_psnr=fisher_psnr,
        )
        if guess.note:
            row["note"] = guess.note
        rows.append(row)
    return {"rows": rows}, {"guess": images}


def pair_labels(truth: Sequence[int], found: Sequence[int]) -> list[int]:
    """The labels found, in the order of the true ones that they are.

    Which labels are in a batch and which picture has which are two questions: labels are found
    before pictures, so that they count as a multiset, whatever the pixels are like. Every true
    label that was found, as often as it was found, stands in its place; the rest fill the others
    in their own order.

    Args:
        truth: B labels.
        found: B labels.

    Returns:
        B labels, those of ``found``.
    """
    left = Counter(found)
    hits: list[int | None] = []
    for label in truth:
        hit = left[label] > 0
        left[label] -= hit
        hits.append(label if hit else None)
    rest = []
    for label in found:
        if left[label] > 0:
            left[label] -= 1
            rest.append(label)
    others = iter(rest)
    return [next(others) if hit is None else hit for hit in hits]


def column_summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of a column's scores, and two shares, as a Record holds them.

    Returns:
        Documents of the scores' means; ``labels``: of those in the batches, how many were found;
        ``top1``: how often the private image was named first.
    """
    hits = [r["label"] == r["label_found"] for r in rows]
    ranks = [r["rank"] for r in rows if r.get("rank") is not None]
    found = means_of(rows)
    found["labels"] = Estimate.share(sum(hits), len(hits))
    found["top1"] = Estimate.share(ranks.count(1), len(ranks))
    return {name: estimate.document() for name, estimate in found.items()}
