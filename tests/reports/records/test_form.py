"""Every number of a Record has a type and a range, which who writes it and who reads it go by."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import get_type_hints, is_typeddict

import pytest

from reports import records
from reports.records import inversion
from reports.records.find import gather
from reports.records.form import Ordered, Within, check_form
from reports.records.kinds import FORMS, check_written, sort_out
from tests import outcomes

FIXTURES = Path(__file__).parents[2] / "fixtures" / "records"
KINDS = ("inversion", "observation", "membership", "audit", "training")


def forged(tmp_path, source, /, **changed):
    """Why a Record of which fields were changed, ``a__0__b=3``, is left out; empty if it is not."""
    record = records.read(FIXTURES / f"{source}-v1")
    document = copy.deepcopy(record.document()) | {"kind": record.kind}
    for path, value in changed.items():
        *way, last = (int(p) if p.isdigit() else p for p in path.split("__"))
        place = document
        for step in way:
            place = place[step]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value
    records.write(records.Record.of(document, record.arrays), tmp_path)
    found = sort_out(gather([tmp_path])).gathered.skipped
    assert all("\n" not in why for _, why in found)
    return found[0][1] if found else ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_all_that_is_declared(kind):
    record = records.read(FIXTURES / f"{kind}-v1")
    assert check_written(record) is record
    first = record.rows[0]
    name = next(iter(first))
    for row, told in (
        ({**first, "added": 1}, "rows.added is declared nowhere"),
        ({k: v for k, v in first.items() if k != name}, f"rows.{name} is missing"),
    ):
        odd = dataclasses.replace(record, rows=[row, *record.rows[1:]])
        with pytest.raises(ValueError, match=told):
            check_written(odd)


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        (
            "inversion",
            {"summary__dprs/adaptive__psnr__low": 50.0},
            "summary.dprs/adaptive.psnr.low is 50, above mean",
        ),
        ("inversion", {"rows__0__psnr": 1e9}, "rows.psnr is 1000000000, which is not in [0, 60]"),
        ("inversion", {"rows__0__ssim": 2.0}, "rows.ssim is 2, which is not in [-1, 1]"),
        ("inversion", {"rows__0__lpips": -1.0}, "rows.lpips is -1, which is not in [0, inf]"),
        ("inversion", {"rows__0__rank": -4}, "rows.rank is -4, which is not in [1, inf]"),
        ("inversion", {"rows__0__rank": 65}, "rows.rank is 65, of 64 candidates"),
        ("inversion", {"rows__0__image": 99}, "rows.image is 99; there are 8"),
        ("inversion", {"rows__0__image": -1}, "rows.image is -1, which is not in [0, inf]"),
        ("inversion", {"rows__0__wire_bytes": -1}, "rows.wire_bytes is -1"),
        ("inversion", {"rows__0__seconds": "1"}, "rows.seconds is no number"),
        ("inversion", {"rows__0__stopped": 3}, "rows.stopped is no text"),
        ("inversion", {"rows__0__label": 1.5}, "rows.label is no whole number"),
        ("inversion", {"baseline__rows__0__psnr": -3.0}, "baseline.rows.psnr is -3"),
        ("inversion", {"bounds__dprs__top1_of_1000": 2.0}, "bounds.dprs.top1_of_1000 is 2"),
        ("inversion", {"bounds__dprs__candidates": -1}, "bounds.dprs.candidates is -1"),
        ("inversion", {"bounds__dprs__round__unseen": [-1]}, "bounds.dprs.round.unseen is -1"),
        ("inversion", {"kind": "observation"}, "of kind observation is of no such scenario"),
        ("observation", {"kind": "inversion"}, "of kind inversion is of no such scenario"),
        ("observation", {"rows__0__psnr": 20.0}, "rows have scores, though nobody knows"),
        ("membership", {"rows__0__scores__loss": "high"}, "rows.scores.loss is no number"),
        ("membership", {"rows__0__example": -1}, "rows.example is -1"),
        ("membership", {"summary__auc__loss__low": 0.99}, "summary.auc.loss.low is 0.99, above"),
        (
            "membership",
            {"summary__tpr_at__loss__0.1__mean": 1.2},
            "summary.tpr_at.loss.0.1.mean is 1.2, which is not in [0, 1]",
        ),
        ("membership", {"summary__members__loss": -1}, "summary.members"),
        ("membership", {"baseline__auc": "x"}, "baseline.auc is no number"),
        ("membership", {"bounds__epsilon": -1.0}, "bounds.epsilon is"),
        ("membership", {"bounds__holds": 1}, "bounds.holds is neither true nor false"),
        ("membership", {"bounds__delta": KeyError}, "bounds.delta is missing"),
        ("audit", {"rows__0__canaries": -5}, "rows.canaries is -5, which is not in [0, inf]"),
        ("audit", {"rows__0__inserted": 21}, "rows.inserted is 21, above canaries, 20"),
        ("audit", {"rows__0__confidence": 1.5}, "rows.confidence is not in [0, 1]"),
        ("audit", {"rows__0__control": -1.0}, "rows.control is -1"),
        ("audit", {"summary__along__0__step": -1}, "summary.along.step is -1"),
        ("audit", {"bounds__delta": KeyError}, "bounds.delta is missing"),
        ("training", {"summary__accuracy__low": 0.9}, "summary.accuracy.low is 0.9, above mean"),
        ("training", {"rows__0__high": 0.0}, "rows.accuracy is 0.126, above high, 0"),
        ("training", {"rows__0__holds": "yes"}, "rows.holds is neither true nor false"),
        ("training", {"bounds__sample_rate": 2.0}, "bounds.sample_rate is 2"),
        ("training", {"bounds__ledger": [[1.0, 0.5]]}, "bounds.ledger has 2 values, not 3"),
        ("training", {"bounds__ledger": [[-1.0, 0.5, 3]]}, "bounds.ledger is -1"),
        ("training", {"bounds__delta": KeyError}, "bounds.delta is missing"),
    ],
)
def test_a_forged_value_costs_the_record_and_one_line_says_which(tmp_path, kind, changed, told):
    assert told in forged(tmp_path, kind, **changed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", KINDS)
def test_a_record_that_says_another_kind_than_its_own_is_left_out(tmp_path, kind, said):
    assert (forged(tmp_path, kind, kind=said) == "") is (kind == said)


@pytest.mark.parametrize("kind", ["membership", "audit", "training"])
def test_a_guarantee_that_is_not_stated_holds_for_nothing(tmp_path, kind):
    assert forged(tmp_path, kind, bounds__holds=KeyError) == ""
    found = sort_out(gather([tmp_path]))
    if kind == "membership":
        assert found.memberships[0].epsilon is None
    else:
        (one,) = found.audits if kind == "audit" else found.trainings
        assert one.holds is False


def test_a_target_that_does_not_say_where_it_started_is_in_doubt(tmp_path):
    assert forged(tmp_path, "membership", summary__models__target__start=KeyError) == ""
    assert sort_out(gather([tmp_path])).memberships[0].learned is None


def test_a_record_of_ones_own_may_hold_more_and_less(tmp_path):
    record = outcomes.inversion()
    record.rows[0].update(mine=[1], evaluations=3, practice=0)
    inversion.parse(record)
    with pytest.raises(ValueError, match=r"rows\.mine is declared nowhere"):
        check_written(record)


@pytest.mark.parametrize("wrong", [("mu", -1.0), ("zcdp", "much")])
def test_of_several_forms_that_counts_which_has_the_names(tmp_path, wrong):
    heads = {"bounds__mu": 1.0, "bounds__zcdp": None}
    assert forged(tmp_path, "training", **heads) == ""
    name, value = wrong
    assert f"bounds.{name} is" in forged(tmp_path, "training", **heads | {f"bounds__{name}": value})


def test_every_range_of_every_kind_refuses_what_is_outside():
    """Each declared number, wherever it stands, is refused a step beyond its ends."""
    seen = 0

    def walk(form):
        nonlocal seen
        for rule in getattr(form, "__metadata__", ()):
            if isinstance(rule, Within):
                for end, way in ((rule.low, -1), (rule.high, 1)):
                    if math.isfinite(end):
                        seen += 1
                        check_form(int(end), form, "x")
                        with pytest.raises(ValueError, match="x is"):
                            check_form(int(end) + way, form, "x")
            else:
                assert isinstance(rule, Ordered)
                assert set(rule.names) <= get_type_hints(form.__origin__).keys()
        if is_typeddict(form):
            for own in get_type_hints(form, include_extras=True).values():
                walk(own)
        for inner in getattr(form, "__args__", ()):
            walk(inner)
        if hasattr(form, "__metadata__"):
            walk(form.__origin__)

    for form in FORMS.values():
        walk(form)
    assert seen > 100
