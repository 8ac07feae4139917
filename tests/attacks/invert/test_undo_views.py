"""The view that an image was shown in is found and undone."""

from __future__ import annotations

from attacks.invert.undo_views import undo_view
from defenses.methods.ats import ATS
from tests.attacks.invert.seen import psnr

HYBRID = ATS()


def test_the_way_is_found_and_undone(photos, auxiliary):
    truth = photos.images[:3]
    for way in (1, 4, 11):
        seen = HYBRID.view(truth, way)
        found = undo_view(HYBRID, seen, auxiliary.images)
        for one, shown, image in zip(found, seen, truth, strict=True):
            assert psnr(one, image) > max(psnr(shown, image) + 3, 13)
