"""The facts of every score that whoever shows one needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.estimates.intervals import Range
from reports.scores.pixel import PSNR_CAP


@dataclass(frozen=True)
class Score:
    """A score of one guess against its image.

    Attributes:
        label: the score's name for people.
        unit: ``dB``, or nothing.
        digits: after the point, when the score is shown.
        range: the least and the largest value there can be for images in [0, 1].
        higher_is_closer: whether a larger value is a closer guess.
    """

    label: str
    unit: str
    digits: int
    range: Range
    higher_is_closer: bool

    @property
    def title(self) -> str:
        """``PSNR (dB)``, ``SSIM``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def axis(self) -> str:
        """``PSNR (dB), higher is closer``."""
        return f"{self.title}, {self.direction}"

    @property
    def direction(self) -> str:
        """``higher is closer``."""
        return f"{'higher' if self.higher_is_closer else 'lower'} is closer"

    def closer(self, difference: float) -> float:
        """A difference of two scores with the sign turned so that above 0 is closer."""
        return difference if self.higher_is_closer else -difference


SCORES = {
    "psnr": Score("PSNR", "dB", 1, (0.0, PSNR_CAP), True),
    "ssim": Score("SSIM", "", 2, (-1.0, 1.0), True),
    "lpips": Score("LPIPS", "", 2, (0.0, math.inf), False),
}
"""Name, as Records and flags have it -> the score."""
