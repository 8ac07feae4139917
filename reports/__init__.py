"""Guess and truth in; scores, Records and figures out."""

from reports import confidence, figures, records, scores

__all__ = ["confidence", "figures", "records", "scores"]
