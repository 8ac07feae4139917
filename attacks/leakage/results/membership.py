"""The result of a membership test: how well members are told from others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from attacks.leakage.numbers import Leak, Verdict
from attacks.leakage.results.result import Result, Units
from attacks.membership.show import promise
from defenses import BadInput
from reports import detection
from reports.charts.render import save
from reports.charts.roc import roc_charts
from reports.estimates import Estimate
from reports.evidence.refuted import above_bound
from reports.records import Record, membership

LOW = 0.01
"""False-positive rate that is always told: an average over all hides who is found for sure."""


@dataclass(frozen=True, eq=False, repr=False)
class Exposed(Result):
    """Metrics of one attack, that of the highest AUC unless `by` chose another.

    The highest of several is taken after looking, which errs on the careful side for ``high``
    and not for ``low``. Shadow models are trained under the defense: the adversary knows it.

    Attributes:
        attack: its name, with options as given.
    """

    attack: str = ""

    kind: ClassVar[str] = "membership"

    @property
    def attacks(self) -> list[str]:
        """Names of all that were played."""
        return list(self._summary["auc"])

    def by(self, attack: str) -> Exposed:
        """The same for another attack.

        Raises:
            BadInput: it was not played.
        """
        if attack not in self.attacks:
            raise BadInput(f"{attack!r} was not played; there are: {', '.join(self.attacks)}")
        return replace(self, attack=attack)

    @property
    def auc(self) -> Leak:
        """Chance that a member outscores another example; 0.5 without any leak."""
        found = Estimate.read(self._summary["auc"][self.attack])
        bound = (
            detection.dp_area(self.epsilon, self._delta) if math.isfinite(self.epsilon) else None
        )
        return self._leak("AUC", found, Estimate.exact(0.5), bound)

    def tpr(self, rate: float = LOW) -> Leak:
        """True-positive rate at this false-positive rate, in (0, 1).

        Raises:
            BadInput: the examples are too few to resolve it; it says how many it takes.
        """
        try:
            found = detection.tpr_at(detection.sample(self._scores, self._members), rate)
        except detection.BadScores as error:
            raise BadInput(f"{error}; raise count") from error
        limit = float(detection.dp_bound(rate, self.epsilon, self._delta))
        bound = limit if math.isfinite(self.epsilon) else None
        return self._leak(f"TPR at {rate:g} FPR", found, Estimate.exact(rate), bound)

    @property
    def learned(self) -> Verdict:
        """Whether the target learned what an attack could find (`reports.evidence.learned`).

        No undefended model is trained beside it. Belongs into every test of membership.
        """
        found = membership.parse(self.records[0]).learned
        if found is None:
            return Verdict.of(False, "the result does not say whether the target learned")
        return Verdict.of(found.holds, found.show())

    @property
    def doubt(self) -> str:
        """See `Result.doubt`: the target did not learn."""
        return "" if self.learned else self.learned.told

    def controls(self) -> list[str]:
        """What the target learned, and whether anything can be said."""
        return super().controls() or [self.learned.told]

    @property
    def epsilon(self) -> float:
        """Of the target's whole training, infinite where its assumptions do not hold."""
        told = self.records[0].bounds
        return float(told["epsilon"]) if told["epsilon"] is not None and told["holds"] else math.inf

    def leaks(self) -> list[Leak]:
        """AUC, and the TPR at a low FPR where the examples resolve it."""
        resolved = int((~self._members).sum()) * LOW >= 1
        return [self.auc] + ([self.tpr(LOW)] if resolved else [])

    def contradictions(self) -> list[str]:
        """AUCs and TPRs of all attacks above what epsilon allows, corrected for being several."""
        parsed = membership.parse(self.records[0])
        return list(above_bound([parsed]).values())

    def units(self) -> dict[str, Units]:
        """Each attack's AUC by example, see `influence`."""
        truth = self._members
        keys = [f"{i} {'member' if m else 'other'}" for i, m in enumerate(truth)]
        found: dict[str, Units] = {}
        for attack in self.attacks:
            parts = influence(self._array(attack), truth)
            found[f"AUC of {attack}"] = dict(zip(keys, parts.tolist(), strict=True))
        return found

    def context(self) -> list[str]:
        """Figure, guarantee, the other attacks."""
        lines = [f"figure: {self.figure}", promise(self.records[0]), *self.refutation]
        others = [self.by(a).auc.show() for a in self.attacks if a != self.attack]
        if self.learned:
            lines.append(self.learned.told)
        return lines + (["; ".join(others)] if others else [])

    def draw(self, record: Record, folder: Path) -> Path:
        """The ROC of every attack, on logarithmic axes."""
        parsed = membership.parse(record)
        return save(next(roc_charts([parsed])), folder / "roc.png")

    @property
    def _summary(self) -> Mapping[str, Any]:
        return self.records[0].summary

    @property
    def _delta(self) -> float:
        return float(self.records[0].bounds["delta"])

    @cached_property
    def _members(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.records[0].arrays["members"].bool().numpy()
        return found

    @property
    def _scores(self) -> NDArray[np.float64]:
        return self._array(self.attack)

    def _array(self, attack: str) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.records[0].arrays[f"scores/{attack}"].double().numpy()
        return found

    def _leak(self, name: str, found: Estimate, guess: Estimate, bound: float | None) -> Leak:
        return Leak(
            f"{name} of {self.attack}",
            found,
            baseline=guess,
            bound=bound,
            context=self.context,
            doubt=self.doubt,
        )


def influence(scores: NDArray[np.float64], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) numbers whose mean is the AUC, and whose spread over examples is its uncertainty.

    A + N/m (v - A) with v the share of others that a member outscores, ties half, and likewise
    for the others: the components of DeLong et al. 1988 as one number per example, so that two
    runs on the same examples are compared in pairs.
    """
    inside, outside = scores[members], scores[~members]
    m, n = len(inside), len(outside)
    both = rankdata(np.concatenate([inside, outside]))
    beaten = (both[:m] - rankdata(inside)) / n
    beats = 1 - (both[m:] - rankdata(outside)) / m
    area = float(beaten.mean())
    found = np.empty(m + n)
    found[members] = area + (m + n) / m * (beaten - area)
    found[~members] = area + (m + n) / n * (beats - area)
    return found
