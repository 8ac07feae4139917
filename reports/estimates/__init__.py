"""Means and medians with their uncertainty.

>>> from reports.estimates import Estimate
>>> Estimate.of([14.1, 15.2, 16.8, 15.0, 13.9, 17.2, 16.1, 15.5]).show()
'15.5 [13.6, 17.4]'
>>> Estimate.share(3, 12).percent()
'25.0% [5.5%, 57.2%]'
"""

from reports.estimates.estimate import NOTHING, Estimate
from reports.estimates.median import Median
from reports.estimates.paired import paired_test
from reports.estimates.pooling import pool

__all__ = ["NOTHING", "Estimate", "Median", "paired_test", "pool"]
