"""Settings that may be compared, and what they show."""

from reports.panels.build import build_panels
from reports.panels.changes import Change, compare
from reports.panels.panel import Panel
from reports.panels.pooled import PooledScores
from reports.panels.setting import Setting
from reports.panels.trained import Trained, pool_runs
from reports.panels.variant import Variant

__all__ = [
    "Change",
    "Panel",
    "PooledScores",
    "Setting",
    "Trained",
    "Variant",
    "build_panels",
    "compare",
    "pool_runs",
]
