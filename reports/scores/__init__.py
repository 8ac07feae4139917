"""How close a reconstruction is to the truth: PSNR, SSIM, LPIPS, and pairing of a batch."""

import math

from reports.scores.pairing import assign
from reports.scores.perceptual import lpips
from reports.scores.pixel import PSNR_CAP, WINDOW, psnr, ssim

RANGES = {"psnr": (0.0, PSNR_CAP), "ssim": (-1.0, 1.0), "lpips": (0.0, math.inf)}
"""The least and the largest value of each score; of PSNR because images lie in [0, 1]."""

__all__ = ["PSNR_CAP", "RANGES", "WINDOW", "assign", "lpips", "psnr", "ssim"]
