"""How well scores tell members from non-members: metrics of two arrays, with intervals.

>>> from reports import detection
>>> scores, members = [0.9, 0.8, 0.4, 0.6, 0.2, 0.1], [1, 1, 1, 0, 0, 0]
>>> found = detection.auc(detection.sample(scores, members))
>>> round(found.mean, 3)  # 8 of 9 pairs are in order
0.889
>>> detection.summarise(scores, members)["tpr_at"]["0.1"]["reason"]
'FPR 0.1 takes at least 10 non-members; there are 3'

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
