from __future__ import annotations

import numpy as np

from reports.panels.evenly import evenly
from reports.panels.labels import setting_labels
from reports.panels.variant import Variant, varying
from reports.records.inversion import Guarantee


def test_variants_fit_when_no_option_that_both_name_differs():
    full = Variant("dprs", {"rate": 0.9, "clip": 1, "cooling": True})
    assert full.fits(Variant("dprs", {"rate": 0.9 + 1e-9})) and full.fits(Variant("dprs", {}))
    assert not full.fits(Variant("dprs", {"rate": 0.5}))
    assert not full.fits(Variant("topk", {"rate": 0.9}))
    assert not full.fits(Variant("dprs", {"cooling": False}))
    assert full.without_switches().fits(Variant("dprs", {"cooling": False}))


def test_a_variant_names_main_options_first():
    found = Variant("mine", {"area": "a" * 40, "clip": 1.0, "on_top": True, "rate": 0.25})
    assert found.label == f"mine rate 0.25, clip 1, area {'a' * 23}…, on top on"
    assert found.show({"rate", "nothing"}, note="round 3") == "mine rate 0.25, round 3"
    assert Variant("none", {}).label == "none"


def test_options_vary_where_two_variants_of_one_defense_differ_or_one_lacks_it():
    found = [
        Variant("a", {"rate": 1.0, "clip": 1.0}),
        Variant("b", {"clip": 2.0}),
        Variant("a", {"rate": 1.0, "clip": 1.5, "new": True}),
    ]
    assert varying(found) == {("a", "clip"), ("a", "new")}
    assert varying(found[:2]) == varying([]) == set()


def test_settings_are_named_apart_to_the_last_digit():
    held = [Guarantee({"rate": r, "clip": 1.0}, np.inf, 0.0, 0, 1.0) for r in (0.5, 0.5 + 1e-9)]
    one, two = setting_labels([("dprs", g) for g in held])
    assert one == "dprs rate 0.5" and two.startswith("dprs rate 0.50000")


def test_some_of_many_are_evenly_spread_and_hold_both_ends():
    assert evenly(range(5), 9) == [0, 1, 2, 3, 4]
    assert evenly(range(101), 5) == [0, 25, 50, 75, 100]
