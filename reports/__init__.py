"""Guess and truth in; scores, Records, figures and pages out.

>>> import torch
>>> import reports
>>> truth = torch.rand(9, 1, 8, 8)
>>> guesses = (truth + 0.1 * torch.randn(truth.shape)).clamp(0, 1)
>>> found = reports.estimates.Estimate.of(reports.scores.psnr(guesses, truth).tolist())
>>> found.low < found.mean < found.high and found.n == 9
True
"""

from reports import detection, estimates, records, scores
from reports.records import Record
from reports.records.load import load

__all__ = ["Record", "detection", "estimates", "load", "records", "scores"]
