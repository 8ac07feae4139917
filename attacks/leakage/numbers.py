"""Numbers that remember what they were measured from, so that a failing assertion can say it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from reports.estimates import Estimate

CANNOT_JUDGE = "cannot be judged"
"""As `reports.evidence.control` says it, which would load numpy into every run of pytest."""
Lines = Callable[[], list[str]]


@dataclass(frozen=True, eq=False, repr=False)
class Leak:
    """One leak as measured.

    Attributes:
        name: what it is, e.g. ``PSNR``.
        estimate: its mean over images or examples with the 95% interval, where there is one.
        unit: ``dB``, or nothing.
        baseline: what guessing without the release or the model gives, where known.
        bound: what theory allows at most; None: it bounds nothing here.
        context: lines that follow the number in a message.
        doubt: why finding little is no evidence; empty where it is some. Then nothing bounds the
            leak from above, and no comparison that a small leak passes holds.
        worse: ``high``, or ``low`` for a score of which a smaller one leaks more.
    """

    name: str
    estimate: Estimate
    unit: str = ""
    baseline: Estimate | None = None
    bound: float | None = None
    context: Lines = list
    doubt: str = ""
    worse: str = "high"

    @property
    def n(self) -> int:
        """How many images or examples were measured; 0 for what is known without."""
        return self.estimate.n

    @property
    def mean(self) -> Bound:
        """The point estimate; for reading. A test compares `low` or `high`."""
        return Bound.of(self, "mean")

    @property
    def low(self) -> Bound:
        """Lower end of the 95% interval."""
        return Bound.of(self, "low")

    @property
    def high(self) -> Bound:
        """Upper end of the 95% interval."""
        return Bound.of(self, "high")

    def __repr__(self) -> str:
        return self.show()

    def show(self) -> str:
        """``PSNR 16.9 dB [13.0, 20.7]``."""
        return f"{self.name} {show_estimate(self.estimate, self.unit)}"

    def lines(self) -> list[str]:
        """The number, what guessing gives, what theory allows, and what else is known."""
        found = [f"{self.show()}, n = {self.n}" if self.n else self.show()]
        if self.baseline is not None:
            found.append(f"guessing gives {show_estimate(self.baseline, self.unit)}")
        if self.bound is not None:
            found.append(f"theory allows at most {self.bound:.4g}")
        if self.doubt:
            found.append(f"{CANNOT_JUDGE}: {self.doubt}")
        return found + self.context()

    def _hint(self, other: object) -> NoReturn:
        raise TypeError(f"compare a bound of the {self.name}, not all of it: .high or .low")

    __lt__ = __le__ = __gt__ = __ge__ = _hint


class Bound(float):
    """One number of a `Leak`: an ordinary float, in messages with its interval and its context."""

    leak: Leak
    end: str

    @classmethod
    def of(cls, leak: Leak, end: str) -> Bound:
        """The ``mean``, ``low`` or ``high`` of a leak."""
        unknown = bool(leak.doubt) and end == leak.worse
        made = cls(math.nan if unknown else getattr(leak.estimate, end))
        made.leak, made.end = leak, end
        return made

    def __lt__(self, other: float) -> bool:
        return not self._open("high") and float(self) < other

    def __le__(self, other: float) -> bool:
        return not self._open("high") and float(self) <= other

    def __gt__(self, other: float) -> bool:
        return not self._open("low") and float(self) > other

    def __ge__(self, other: float) -> bool:
        return not self._open("low") and float(self) >= other

    def _open(self, end: str) -> bool:
        """Whether the leak may go on at this end: no comparison that says it does not holds."""
        return bool(self.leak.doubt) and self.leak.worse == end

    def __reduce__(self) -> Any:
        return float, (float(self),)

    def show(self) -> str:
        """``PSNR.high 20.71``."""
        if math.isnan(self) and self.leak.doubt:
            return f"{self.leak.name}.{self.end} ({CANNOT_JUDGE})"
        return f"{self.leak.name}.{self.end} {float(self):.4g}"


class Verdict(int):
    """True or false, with the reason: ``assert verdict`` prints it."""

    told: str

    @classmethod
    def of(cls, holds: bool, told: str) -> Verdict:
        """A verdict and one line that says why."""
        made = cls(holds)
        made.told = told
        return made

    def __reduce__(self) -> Any:
        return bool, (bool(self),)

    def __repr__(self) -> str:
        return f"<{bool(self)}: {self.told}>"


def show_estimate(found: Estimate, unit: str = "") -> str:
    """``16.9 dB [13.0, 20.7]``: fewer digits for decibels than for shares."""
    mean, low, high = found.mean, found.low, found.high
    if not math.isfinite(mean):
        return "not measured" if math.isnan(mean) else f"{mean:g}"
    digits = 1 if unit == "dB" else 3
    text = f"{mean:.{digits}f}" + (f" {unit}" if unit else "")
    if math.isinf(high):  # bounded on one side
        return f">= {low:.{digits}f}" + (f" {unit}" if unit else "")
    if low == high:  # exact, as what guessing gives
        return text
    if math.isnan(low) or math.isnan(high):
        return f"{text} [no interval]"
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def explain(operator: str, left: object, right: object) -> list[str] | None:
    """Lines for a comparison that failed; None when no `Bound` takes part."""
    found = [side for side in (left, right) if isinstance(side, Bound)]
    if not found:
        return None
    words = [side.show() if isinstance(side, Bound) else f"{side!r:.80}" for side in (left, right)]
    return [f" {operator} ".join(words), *found[0].leak.lines()]
