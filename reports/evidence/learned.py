"""The positive control of a membership test: did the target learn anything that could be found?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from scipy.stats import binomtest

from reports.records import Record

LEVEL = 0.01
"""Chance at which a target that knows nothing is still said to have learned."""


@dataclass(frozen=True)
class Learned:
    """What the target gets right of its own members, against a model that was not trained.

    Attributes:
        accuracy: of the target on its members, in [0, 1].
        outside: on the other candidates; the gap between them is what membership attacks feed on.
        floor: what knows nothing gets: the largest class, or the same model before its first
            step where that is higher and the Record says it.
        n: members.
        p: of so many right answers or more, were the accuracy ``floor`` (exact binomial test,
            one-sided).
    """

    accuracy: float
    outside: float
    floor: float
    n: int
    p: float

    @property
    def holds(self) -> bool:
        """Whether the target learned, at `LEVEL`."""
        return self.p < LEVEL

    def told(self) -> str:
        """One line."""
        word = "learned" if self.holds else "did not learn"
        return (
            f"the target {word}: {self.accuracy:.1%} of {self.n} members right, "
            f"{self.outside:.1%} of others, {self.floor:.1%} without training (p = {self.p:.2g})"
        )


def learned(record: Record) -> Learned | None:
    """Whether the target of a Record of attacks.membership learned; None where it does not say.

    No undefended model is trained for this: a defense under which the target learns nothing hides
    its members from every attack, and so would a training that fails without a defense.
    """
    models = record.summary.get("models")
    target = models.get("target") if isinstance(models, dict) else None
    members = [row for row in record.rows if row.get("member")]
    if not isinstance(target, dict) or not members or not {"inside", "outside"} <= target.keys():
        return None
    n = len(members)
    largest = max(Counter(row["label"] for row in members).values()) / n
    floor = min(1.0, max(largest, float(target.get("start", 0.0))))
    right = round(float(target["inside"]) * n)
    p = float(binomtest(right, n, floor, alternative="greater").pvalue)
    return Learned(float(target["inside"]), float(target["outside"]), floor, n, p)


def doubt(record: Record) -> str:
    """Why finding nobody in this Record is no evidence; empty where it is some.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    try:
        found = learned(record)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError("summary.models.target or rows are not those of a Record") from error
    if found is None:
        return "the result does not say whether the target learned"
    return "" if found.holds else found.told()
