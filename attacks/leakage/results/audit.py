"""The result of an audit: what epsilon an attack proves, beside the one that is claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from attacks.audit.show import draw
from attacks.leakage.numbers import CANNOT_JUDGE, Bound, Leak, Verdict
from attacks.leakage.results.membership import influence
from attacks.leakage.results.result import Result, Units
from reports.estimates import Estimate
from reports.records import Record
from reports.records import audit as audits
from reports.records.audit import AuditRecord


@dataclass(frozen=True, eq=False, repr=False)
class Audited(Result):
    """A lower bound on epsilon, at the stated confidence, and the claim that it is held against."""

    kind: ClassVar[str] = "audit"

    @property
    def epsilon_low(self) -> Bound:
        """The largest epsilon that the audited training's true one is proven to exceed."""
        best = self._audit.worst
        proven = Estimate(best.audited, best.audited, math.inf, best.canaries)
        rests = best.unclaimed
        given = f"{best.method}, confidence {best.confidence:g}"
        name = f"audited epsilon ({given}{f', if of {rests}' if rests else ''})"
        return Leak(
            name,
            proven,
            baseline=Estimate.exact(0.0),
            bound=self.epsilon if math.isfinite(self.epsilon) and not rests else None,
            context=self.context,
            doubt=self.doubt,
        ).low

    @property
    def claimed(self) -> Bound:
        """The epsilon that was audited; infinite when nothing is claimed."""
        return Leak("claimed epsilon", Estimate.exact(self.epsilon), context=self.context).mean

    @property
    def refuted(self) -> Verdict:
        """Whether more leaks than is claimed, at the stated confidence.

        Raises:
            AssertionError: it is not, and could not have been: that is no evidence (`doubt`).
        """
        __tracebackhide__ = True
        if self.doubt:
            raise AssertionError("\n".join([f"{CANNOT_JUDGE}: {self.doubt}", *self.context()]))
        holds = self._audit.broken
        told = f"epsilon >= {self._audit.worst.audited:.4g} proven, {self.epsilon:.4g} claimed"
        told += "" if self._audit.holds else " (for Poisson batches, which these are not)"
        return Verdict.of(holds, told + (f"; figure: {self.figure}" if holds else ""))

    @property
    def auc(self) -> Leak:
        """Chance that the score of an inserted canary exceeds that of one that was not."""
        return Leak(
            "AUC of canaries",
            self._audit.auc,
            baseline=Estimate.exact(0.5),
            context=self.context,
        )

    @property
    def epsilon(self) -> float:
        """The claim for the whole training."""
        return self._audit.rows[0].claimed

    @property
    def doubt(self) -> str:
        """See `Result.doubt`: not even perfect scores could refute the claim, by any auditor."""
        rows = self._audit.rows
        if self._audit.broken or not all(row.doubt for row in rows):
            return ""
        return max(rows, key=lambda row: row.reach).doubt

    def leaks(self) -> list[Leak]:
        """What is proven, and the canaries' AUC."""
        return [self.epsilon_low.leak, self.auc]

    def contradictions(self) -> list[str]:
        """What is proven, where more leaks than is claimed."""
        proven = float(self.epsilon_low)
        told = f"epsilon is at least {proven:.4g}, where {self.epsilon:.4g} is claimed"
        return [told] if self._audit.broken else []

    def units(self) -> dict[str, Units]:
        """The AUC by canary, see `exposed.influence`."""
        record = self.records[0]
        inserted = record.arrays["inserted"].bool().numpy()
        parts = influence(record.arrays["scores"][-1].double().numpy(), inserted)
        keys = [f"{i} {'in' if m else 'out'}" for i, m in enumerate(inserted)]
        return {"AUC of canaries": dict(zip(keys, parts.tolist(), strict=True))}

    def context(self) -> list[str]:
        """Figure, claim, what the bounds assume."""
        lines = [f"figure: {self.figure}"]
        lines.append(f"claimed: epsilon {self.epsilon:.4g}, delta {self._audit.delta:g}")
        if not self._audit.holds:
            lines.append("the claim assumes Poisson sampling, which this training does not do")
        lines.append(f"with perfect scores this audit would prove epsilon {self._audit.reach:.4g}")
        best = self._audit.worst
        beyond = f"; the defense does not claim to be {best.unclaimed}" if best.unclaimed else ""
        return [*lines, f"the audit assumes {best.assumes}{beyond}"]

    def draw(self, record: Record, folder: Path) -> Path:
        """Audited against claimed epsilon along the run."""
        draw(record, folder)
        return folder / "epsilon.png"

    @cached_property
    def _audit(self) -> AuditRecord:
        return audits.parse(self.records[0])
