from __future__ import annotations

import numpy as np

from reports.evidence.control import control
from reports.panels.build import build_panels
from reports.records import inversion
from tests import outcomes


def test_the_control_is_about_most_images_and_no_guess():
    prior = np.full(4, 13.0)
    for psnr, found in (
        ([30.0, 30.0, 13.0, 13.0], "rebuilt"),
        ([30.0, 13.5, 13.0, 13.0], "not rebuilt"),
        ([15.0, 15.5, 14.9, 14.2], "not rebuilt"),  # fog: better than guessing, and no picture
        ([np.nan] * 4, "none"),
        ([np.nan, np.nan, np.nan, 30.0], "rebuilt"),
    ):
        assert control(np.array(psnr), prior) == found
    for against, found in (
        ({"none": 32.0}, "rebuilt"),
        ({"none": 13.2}, "not rebuilt"),
        (None, "none"),
    ):
        (panel,) = build_panels([inversion.parse(outcomes.inversion(against=against))])
        assert {s.control for s in panel.settings} == {found}
