"""How close a reconstruction is to the truth: PSNR, SSIM, LPIPS, and pairing of a batch."""

from reports.scores.facts import SCORES, Score
from reports.scores.pairing import assign
from reports.scores.perceptual import lpips
from reports.scores.pixel import PSNR_CAP, WINDOW, psnr, ssim

__all__ = ["PSNR_CAP", "SCORES", "WINDOW", "Score", "assign", "lpips", "psnr", "ssim"]
