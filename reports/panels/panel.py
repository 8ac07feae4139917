"""A panel of comparable settings and what its numbers show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reports.estimates import NOTHING, Estimate
from reports.panels.pooled import PooledScores
from reports.panels.setting import Setting
from reports.records.find import Source


@dataclass
class Panel:
    """Settings that differ in the defense alone.

    Attributes:
        anchor: names it within the page.
        facts: scenario fields that all its Records share.
        title: for people; unique within the page.
        settings: in a fixed order, from no defense to much.
        prior: a unit's scores of the best guess without the release; None without a truth.
        sources: all its Records.
        notes: what was left out while pooling, a line each.
    """

    anchor: str
    facts: dict[str, Any]
    title: str
    settings: list[Setting]
    prior: PooledScores | None
    sources: list[Source]
    notes: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Private images per seed."""
        return int(self.facts["images"])

    def guess(self, score: str) -> Estimate:
        """The prior's mean and interval."""
        return NOTHING if self.prior is None else self.prior.estimate(score)
