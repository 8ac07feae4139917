"""What every method of an Exam proves from the scores of all of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import attacks.audit as audit
from attacks.audit.game.seen import Seen
from attacks.audit.scenario import Exam


def together(seen: Sequence[Seen]) -> tuple[Tensor, Tensor]:
    """Scores (looks, m) and coins (m,) of all runs."""
    return torch.cat([s.scores for s in seen], 1), torch.cat([s.inserted for s in seen])


def bounds_of(exam: Exam, scores: Tensor, inserted: Tensor) -> dict[str, float]:
    """Each method's lower bound on epsilon; together they err as seldom as the Exam asks.

    Args:
        exam: whose methods, delta and confidence count.
        scores: (m,), higher = more likely inserted.
        inserted: (m,) bool.
    """
    joined = int(inserted.sum())
    if len(scores.unique()) == 1 or joined in (0, len(inserted)):
        return dict.fromkeys(exam.methods, 0.0)  # unlucky coins, or nothing seen yet
    alpha = (1 - exam.confidence) / len(exam.methods)
    told: dict[str, Any] = {"delta": exam.training.delta, "alpha": alpha}
    return {name: audit.get(name).bound(scores, inserted, **told) for name in exam.methods}
