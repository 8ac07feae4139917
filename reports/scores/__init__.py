"""How close a reconstruction is to the truth: PSNR, SSIM, LPIPS, and pairing of a batch.

>>> import torch
>>> from reports import scores
>>> truth = torch.zeros(2, 3, 16, 16)  # (B, C, H, W) in [0, 1]
>>> scores.psnr(truth + 0.1, truth).round(decimals=3)  # dB, (B,)
tensor([20., 20.], dtype=torch.float64)
>>> scores.ssim(truth, truth)
tensor([1., 1.], dtype=torch.float64)
"""

from reports.scores.facts import SCORES, Score
from reports.scores.pairing import assign
from reports.scores.perceptual import lpips
from reports.scores.pixel import PSNR_CAP, WINDOW, psnr, ssim

__all__ = ["PSNR_CAP", "SCORES", "WINDOW", "Score", "assign", "lpips", "psnr", "ssim"]
