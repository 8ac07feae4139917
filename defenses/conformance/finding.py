"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from defenses.conformance.subject import Subject
from defenses.contract import Defense

Verdict = tuple[bool, str]
"""Whether it holds, and one line with what was measured and what the limit is."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: the check's name.
        holds: False when the defense is not what it claims to be.
        told: one line with what was measured and what the limit is.
    """

    check: str
    holds: bool
    told: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'BROKEN'}  {self.check}: {self.told}"


def finding_of(name: str, judge: Callable[[], Verdict]) -> Finding:
    """The finding of a verdict, or of the error that came instead."""
    try:
        holds, told = judge()
    except Exception as error:  # somebody else's code: whatever it raises is a finding
        holds, told = False, f"raised {type(error).__name__}: {error}"
    return Finding(name, holds, " ".join(told.split()))


@dataclass(frozen=True)
class Check:
    """One structural property of a defense, as a function of the defense."""

    judge: Callable[[Subject], Verdict]

    @property
    def name(self) -> str:
        """What the property is called."""
        return self.judge.__name__

    def __call__(
        self, defense: Defense, *, like: Mapping[str, Tensor] | None = None, seed: int = 0
    ) -> Finding:
        """Look for this property.

        Args:
            defense: any; one that wants side information is given random side information.
            like: tensors of the parameters' names, shapes and types; None: two equal matrices
                and a vector, since noise that repeats itself shows between equal shapes.
            seed: of the gradients and of the noise.
        """
        return self.on(Subject(defense, like, seed))

    def on(self, subject: Subject) -> Finding:
        """The same on a `Subject`, which remembers what other checks have measured."""
        return finding_of(self.name, lambda: self.judge(subject))
