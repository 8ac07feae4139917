from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from reports.panels.changes import compare, unmatched_settings
from reports.records import Record
from reports.records.find import Source
from reports.records.inversion import InversionRecord, parse
from reports.sentences.lead import changes_overview
from reports.sentences.sentence import plain
from tests import outcomes


def inversion(psnr, *, seed=0, defense="dprs", rate=0.9, column="adaptive", model="lenet"):
    """A Record of one defense with these PSNRs; LPIPS falls as PSNR rises."""
    rows = [
        {
            "image": i,
            "defense": defense,
            "adaptive": column == "adaptive",
            "psnr": float(v),
            "ssim": None,
            "lpips": float(1 - v / 60),
            "label": 1,
            "label_found": 1,
            "stopped": "iterations",
        }
        for i, v in enumerate(psnr)
    ]
    facts = {"attack": "auto", "columns": column, "data": "photos", "model": model}
    facts |= {"state": "untrained", "defense": defense, "images": len(rows), "seed": seed}
    bound = {"options": {"rate": rate}, "epsilon": None, "delta": 1e-5, "top1_of_1000": 1.0}
    record = Record("inversion", facts, rows, {}, {}, {defense: bound}, {})
    return parse(record, Source(record, number=seed + 1))


def noisy(count, mean, seed):
    return mean + 4 * np.random.default_rng(seed).standard_normal(count)


def changed(before: list[InversionRecord], after: list[InversionRecord], score="psnr"):
    return [c for c in compare(before, after) if c.score == score]


def test_a_planted_change_is_found_and_pairing_is_what_finds_it():
    base = noisy(24, 20, 0)
    (change,) = changed([inversion(base)], [inversion(base + 1 + noisy(24, 0, 1) / 20)])
    assert change.verdict == "leaks more"
    assert change.difference.low < 1 < change.difference.high
    assert (
        change.difference.high - change.difference.low < 0.3
    )  # unpaired it would be about 4 dB wide
    assert change.after - change.before == pytest.approx(change.difference.mean)
    assert change.difference.n == 24


@pytest.mark.parametrize(
    ("bare", "stopped", "verdict", "reason"),
    [
        (32.0, "iterations", "leaks less", ""),
        (13.2, "iterations", "cannot be judged", "the undefended update was not rebuilt either"),
        (None, "iterations", "cannot be judged", "no positive control"),
        (32.0, "time", "cannot be judged", "the clock cut the attack short"),
    ],
)
def test_an_attack_that_proves_nothing_does_not_show_that_less_leaks(
    bare, stopped, verdict, reason
):
    sides = []
    for level, bare_level, ended in ((24.0, 32.0, "iterations"), (14.0, bare, stopped)):
        record = outcomes.inversion(
            level=level, images=12, against={} if bare_level is None else {"none": bare_level}
        )
        for row in record.rows:
            row["stopped"] = ended if row["defense"] == "dprs" else "iterations"
        sides.append([parse(record)])
    changes = compare(*sides)
    (change,) = (
        c
        for c in changes
        if c.setting.startswith("dprs") and c.score == "psnr" and c.attacker == "adaptive"
    )
    assert change.verdict == verdict and reason in change.doubt
    said = plain(changes_overview(changes))
    assert ("cannot be judged: " + reason in said) == bool(reason)
    (back,) = (
        c
        for c in compare(*reversed(sides))
        if c.setting.startswith("dprs") and c.score == "psnr" and c.attacker == "adaptive"
    )
    assert back.verdict == "leaks more"  # an alarm needs no control


def test_lpips_is_read_the_other_way_round():
    base = noisy(24, 20, 0)
    (change,) = changed([inversion(base)], [inversion(base + 3)], score="lpips")
    assert change.difference.mean < 0
    assert change.verdict == "leaks more"


def test_equal_runs_show_no_change():
    runs = [inversion(noisy(8, 20, s), seed=s) for s in range(3)]
    assert {c.verdict for c in compare(runs, runs)} == {"no change shown"}
    assert {c.p for c in compare(runs, runs)} == {1.0}
    assert unmatched_settings(runs, runs) == []


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_images_say_nothing(count):
    base = np.linspace(20, 30, count)
    (change,) = changed([inversion(base)], [inversion(base + np.linspace(9, 10, count))])
    assert change.verdict == "too few images to say"
    assert change.p == 1 and not change.difference.spread


def test_many_comparisons_are_paid_for():
    rates = np.linspace(0, 0.9, 40)
    base = noisy(12, 20, 0)
    before = [inversion(base, rate=float(r)) for r in rates]
    after = [inversion(base + noisy(12, 0, 1 + i), rate=float(r)) for i, r in enumerate(rates)]
    after[0] = inversion(base + 4 + noisy(12, 0, 99), rate=0.0)
    (alone,) = changed(before[:1], after[:1])
    assert alone.verdict == "leaks more" and 0.05 / 40 < alone.p < 0.05
    assert all(c.verdict == "no change shown" for c in changed(before, after))


def test_what_only_one_side_has_is_said():
    both = inversion([20.0, 21.0, 22.0])
    lost = inversion([1.0, 2.0, 3.0], rate=0.5)
    elsewhere = inversion([1.0, 2.0, 3.0], model="mlp")
    assert len(changed([both, lost], [both, elsewhere])) == 1
    lines = unmatched_settings([both, lost], [both, elsewhere])
    assert [line.split(":")[0] for line in lines] == ["only in the first", "only in the second"]
    assert "rate 0.5" in lines[0]
    assert "mlp" in lines[1]


def test_a_renamed_defense_is_compared_with_what_it_was():
    old = [inversion([20.0, 21.0, 25.0], defense="mine_v1"), inversion([9.0, 9.5, 9.2])]
    new = [inversion([20.0, 21.0, 25.0], defense="mine_v2"), inversion([9.0, 9.5, 9.2])]
    found = changed(old, new)
    assert any("mine_v1" in c.setting and "mine_v2" in c.setting for c in found)
    assert len(found) == 2
    assert unmatched_settings(old, new) == []


def test_only_images_that_both_attacked_are_compared():
    many, few = inversion([20.0, 30.0, 40.0, 50.0]), inversion([21.0, 31.0])
    few = dataclasses.replace(few, panel=many.panel)
    (change,) = changed([many], [few])
    assert change.difference.n == 2
    assert (change.before, change.after) == (25.0, 26.0)
