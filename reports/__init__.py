"""Guess and truth in; scores, Records, figures and pages out."""

from reports import detection, estimates, records, scores
from reports.records import Record

__all__ = ["Record", "detection", "estimates", "records", "scores"]
