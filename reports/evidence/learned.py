"""The positive control of a membership test: did the target learn anything that could be found?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

LEVEL = 0.01
"""Chance at most that, of targets judged together which all know nothing, any is said to have
learned."""


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
        compared: how many targets are judged together, and share `LEVEL` (Bonferroni).
    """

    accuracy: float
    outside: float
    floor: float
    n: int
    p: float
    compared: int = 1

    @property
    def holds(self) -> bool:
        """Whether the target learned, at its share of `LEVEL`."""
        return self.p < LEVEL / self.compared

    def show(self) -> str:
        """One line for people: whether the target learned, and by which numbers."""
        word = "learned" if self.holds else "did not learn"
        several = self.compared > 1
        share = f"; among {self.compared} results {LEVEL / self.compared:.2g} counts" * several
        return (
            f"the target {word}: {self.accuracy:.1%} of {self.n} members right, "
            f"{self.outside:.1%} of others, {self.floor:.1%} without training "
            f"(p = {self.p:.2g}{share})"
        )


def judge_target(
    labels: Sequence[str], inside: float, outside: float, start: float = 0.0
) -> Learned | None:
    """Whether a membership test's target learned; None where there is no member to say it of.

    No undefended model is trained for this: a defense under which the target learns nothing hides
    its members from every attack, and so would a training that fails without a defense.

    Args:
        labels: class of every member.
        inside: accuracy of the target on its members, in [0, 1].
        outside: the same accuracy on the other candidates.
        start: the same accuracy on its members before the first step; 0 where it is not known.
    """
    n = len(labels)
    if not n:
        return None
    floor = max(start, max(Counter(labels).values()) / n)
    p = float(binomtest(round(inside * n), n, floor, alternative="greater").pvalue)
    return Learned(accuracy=inside, outside=outside, floor=floor, n=n, p=p)


def doubt(found: Learned | None) -> str:
    """Why finding nobody is no evidence; empty where it is some.

    Args:
        found: of the target, see `judge_target`; None where its Record does not say.
    """
    if found is None:
        return "the result does not say whether the target learned"
    return "" if found.holds else found.show()
