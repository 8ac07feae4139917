"""Means with their uncertainty."""

from reports.estimates.estimate import share, show, summarise
from reports.estimates.pooling import Estimate

__all__ = ["Estimate", "share", "show", "summarise"]
