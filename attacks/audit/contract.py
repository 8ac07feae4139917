"""Defines an auditor: it takes canaries' scores and coins, and returns a lower bound on epsilon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from defenses import BadInput, option
from defenses.options import check_options
from defenses.registry import Registry


@dataclass(frozen=True)
class Auditor(ABC):
    """Turns scores into a lower bound on epsilon; a frozen dataclass whose fields are flags."""

    name: ClassVar[str] = ""
    assumes: ClassVar[str] = ""
    """What makes the bound valid, beyond the scores being the audited training's."""
    gaussian: ClassVar[bool] = False
    """Whether it assumes that the mechanism is Gaussian, which not every defense claims to be."""

    seed: int = option(0, "of the auditor's own draws: splits and the order of equal scores")

    def __post_init__(self) -> None:
        check_options(self)

    @abstractmethod
    def bound(self, scores: Tensor, inserted: Tensor, *, delta: float, alpha: float) -> float:
        """The lower bound on epsilon; arguments are as `lower_bound` checks them.

        Args:
            scores: (m,) finite float64, higher = more likely inserted.
            inserted: (m,) bool, neither all True nor all False.
            delta: the delta of the audited guarantee, in (0, 1).
            alpha: probability with which the bound may exceed the true epsilon, in (0, 1).
        """


registry: Registry[Auditor] = Registry("auditor", "leakgauge.auditors")


def lower_bound(
    scores: Tensor,
    inserted: Tensor,
    *,
    delta: float,
    method: str | Auditor = "one-run",
    confidence: float = 0.95,
) -> float:
    """An epsilon that the audited training's true one exceeds, at the stated confidence.

    Args:
        scores: (m,) of m canaries, higher = more likely inserted. Numbers, tensors or arrays.
        inserted: (m,) whether each was in the training data.
        delta: the delta of the audited (epsilon, delta), in (0, 1).
        method: a registered auditor's name, or an auditor.
        confidence: the confidence of the bound, in (0, 1); a claim that holds is refuted with
            probability 1 - confidence at most, provided that what the method ``assumes`` is true.

    Returns:
        At least 0; 0 says nothing against any claim.

    Raises:
        BadInput: sizes that differ, NaN, equal scores, only one kind of canary, delta or
            confidence outside (0, 1), or fewer canaries than any bound above 0 takes.
    """
    auditor = registry.get(method) if isinstance(method, str) else method
    values = torch.as_tensor(scores).detach().cpu().double()
    bits = torch.as_tensor(inserted).detach().cpu()
    _check(values, bits, delta, confidence)
    bits = bits.bool()
    alpha = 1 - confidence
    bound = auditor.bound(values, bits, delta=delta, alpha=alpha)
    if bound <= 0 and auditor.bound(bits.double(), bits, delta=delta, alpha=alpha) <= 0:
        raise BadInput(
            f"{len(bits)} canaries, {int(bits.sum())} of them inserted, are too few for confidence "
            f"{confidence:g}: even perfect scores prove nothing; "
            f"{auditor.name or 'this auditor'} takes "
            f"{fewest_canaries(auditor, delta, alpha)}, half inserted"
        )
    return bound


def _check(values: Tensor, bits: Tensor, delta: float, confidence: float) -> None:
    """Raise `BadInput` for what tells nothing apart, or is out of its range."""
    for name, share in (("delta", delta), ("confidence", confidence)):
        if not 0 < share < 1:
            raise BadInput(f"{name} is {share:g}; it must be in (0, 1)")
    if values.ndim != 1 or values.shape != bits.shape:
        raise BadInput(
            f"scores are of shape {tuple(values.shape)} and inserted of {tuple(bits.shape)}; "
            "both must be (m,), one of each per canary"
        )
    if not torch.isfinite(values).all():
        count = int((~torch.isfinite(values)).sum())
        raise BadInput(f"{count} of {len(values)} scores are NaN or infinite")
    if not torch.isin(bits.double(), torch.tensor([0.0, 1.0], dtype=torch.float64)).all():
        raise BadInput("inserted must be bools: 1 for a canary that was in the data, else 0")
    joined = int(bits.sum())
    if joined in (0, len(bits)):
        kind = "none" if joined == 0 else "all"
        raise BadInput(
            f"{kind} of the {len(bits)} canaries are inserted; an audit takes both kinds"
        )
    if len(values.unique()) == 1:
        raise BadInput(f"all {len(values)} scores are equal: they tell nothing apart")


def fewest_canaries(auditor: Auditor, delta: float, alpha: float) -> int:
    """The number of canaries from which on perfect scores prove an epsilon above 0.

    Found by doubling, then halving: a lucky split may make do with a few less.
    """

    def enough(pairs: int) -> bool:
        bits = torch.arange(2 * pairs) % 2 == 1
        return auditor.bound(bits.double(), bits, delta=delta, alpha=alpha) > 0

    high = 1
    while not enough(high):
        high *= 2
        if high > 2**20:
            raise BadInput(f"no number of canaries proves anything at delta {delta:g}")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return 2 * high


def largest_refuted(refuted: Callable[[float], bool], limit: float = 128.0) -> float:
    """The largest claim in [0, limit] that is refuted, claims being easier to keep as they grow."""
    if not refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(high):
        low, high = high, 2 * high
        if low >= limit:
            return limit
    while high - low > 1e-4 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
