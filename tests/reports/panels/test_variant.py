from __future__ import annotations

import dataclasses

from reports.panels.variant import Variant, variant_of, varying_options
from reports.records.find import Source
from tests import outcomes


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
    assert varying_options(found) == {("a", "clip"), ("a", "new")}
    assert varying_options(found[:2]) == varying_options([]) == set()


def test_a_private_head_is_named_by_its_method():
    record = outcomes.membership()
    head = {k: v for k, v in record.scenario.items() if k != "defense"} | {"method": "dp-ls"}
    for facts, name in ((record.scenario, "dpsgd"), (head, "dp-ls")):
        found = variant_of(Source(dataclasses.replace(record, scenario=facts)))
        assert found.defense == name
