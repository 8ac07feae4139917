"""Means with their uncertainty."""

from reports.estimates.estimate import NOTHING, Estimate
from reports.estimates.paired import paired_test
from reports.estimates.pooling import pool

__all__ = ["NOTHING", "Estimate", "paired_test", "pool"]
