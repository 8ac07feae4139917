"""How well scores tell members from non-members: metrics of two arrays, with intervals.

A threshold t calls every example with a score of at least t a member, so equal scores are
never split. Intervals are of 95%; tests/reports/detection/test_detection.py simulates their
coverage.
"""

from reports.detection.accuracy import BalancedAccuracy, balanced_accuracy
from reports.detection.area import auc, roc
from reports.detection.bounds import chance, dp_area, dp_bound, gdp_bound
from reports.detection.caught import tpr_at
from reports.detection.sample import BadScores, Sample, Unresolved, sample
from reports.detection.summary import RATES, summarise
from reports.estimates.intervals import Values

__all__ = [
    "RATES",
    "BadScores",
    "BalancedAccuracy",
    "Sample",
    "Unresolved",
    "Values",
    "auc",
    "balanced_accuracy",
    "chance",
    "dp_area",
    "dp_bound",
    "gdp_bound",
    "roc",
    "sample",
    "summarise",
    "tpr_at",
]
