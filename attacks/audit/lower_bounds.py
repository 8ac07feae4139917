"""Computes what every method of a Scenario proves from the scores of all of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from attacks.audit.contract import registry
from attacks.audit.game.seen import Seen
from attacks.audit.scenario import Scenario


def concatenate(seen: Sequence[Seen]) -> tuple[Tensor, Tensor]:
    """Scores (looks, m) and coins (m,) of all runs."""
    return torch.cat([s.scores for s in seen], 1), torch.cat([s.inserted for s in seen])


def bounds_of(scenario: Scenario, scores: Tensor, inserted: Tensor) -> dict[str, float]:
    """Each method's lower bound on epsilon; together they err as seldom as the Scenario asks.

    Args:
        scenario: the Scenario, of which methods, delta and confidence count.
        scores: (m,), higher = more likely inserted.
        inserted: (m,) bool.
    """
    joined = int(inserted.sum())
    if len(scores.unique()) == 1 or joined in (0, len(inserted)):
        return dict.fromkeys(scenario.methods, 0.0)  # unlucky coins, or nothing seen yet
    alpha = (1 - scenario.confidence) / len(scenario.methods)
    known: dict[str, Any] = {"delta": scenario.training.delta, "alpha": alpha}
    return {name: registry.get(name).bound(scores, inserted, **known) for name in scenario.methods}
