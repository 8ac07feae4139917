"""The scoreboard puts every attack on a defense into one row."""

from __future__ import annotations

import dataclasses

import pytest

from reports import records
from reports.panels import trained
from reports.panels.build import build_panels
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.tables.scoreboard import BROKEN, HEADS, scoreboard
from tests import outcomes
from tests.outcomes import outline_of


def board(folder):
    found = sort_out(gather([folder]))
    panels = build_panels(found.inversions)
    runs = trained.pool_runs(found.trainings)
    return scoreboard(panels, runs, found.memberships, found.audits)


def texts(table, start):
    (row,) = (r for r in table.rows if r.cells[0].text.startswith(start))
    shown = {name: cell.text for name, cell in zip(table.heads, row.cells, strict=True)}
    return dict.fromkeys(HEADS, "-") | shown


def asked(record, defense, options):
    """A membership or audit Record of a defense with these options."""
    scenario = record.scenario | {"defense": defense, "defense_options": options}
    rows = [row | {"defense": defense} for row in record.rows]
    return dataclasses.replace(record, scenario=scenario, rows=rows)


@pytest.fixture
def folder(tmp_path):
    for rate in (0.0, 0.9):
        record = outcomes.inversion(rate=rate, against={"none": 32.0})
        records.write(record, tmp_path / f"invert-{rate}")
    options = {"rate": 0.9, "noise_multiplier": 0.01, "clip": 1.0}
    records.write(outcomes.training(0.7, **options), tmp_path / "train")
    records.write(outcomes.training(0.9, defense="none"), tmp_path / "train-none")
    records.write(asked(outcomes.membership(), "dprs", options), tmp_path / "membership")
    records.write(asked(outcomes.audit(), "dprs", {"rate": 0.0}), tmp_path / "audit")
    return tmp_path


def test_attacks_of_one_defense_meet_in_one_row(folder):
    table = board(folder)
    masked = texts(table, "dprs rate 0.9")
    assert float(masked["adaptive PSNR (dB)"].split()[0]) > 20
    assert float(masked["naive PSNR (dB)"].split()[0]) < 12
    assert masked["TPR at 1% FPR"].count("[") == 1
    assert masked["accuracy cost (points)"].startswith("20.0 [")
    assert masked["ε claimed"] == "1"
    assert masked["remark"] == BROKEN
    assert len(masked["records"].split(",")) == 2


def test_claim_and_audit_are_of_one_training_and_a_refuted_one_counts(folder):
    dense = texts(board(folder), "dprs rate 0,")
    assert dense["ε at least"] == "3.1"  # not the 5 of a row that claims nothing
    assert dense["ε claimed"] == "2"  # not the smallest claim there is, which holds
    assert dense["remark"] == "the guarantee is false: an audit refutes the claim"


def test_leak_and_claim_of_two_trainings_do_not_meet_in_one_row(folder):
    options = {"rate": 0.9, "noise_multiplier": 0.01, "clip": 1.0}
    careless = asked(outcomes.membership(gap=3.0), "dprs", options)
    careless.bounds["epsilon"] = 50.0
    records.write(careless, folder / "membership-2")
    rows = [r for r in board(folder).rows if "0.9" in r.cells[0].text]
    heads = board(folder).heads
    found = [dict(zip(heads, (c.text for c in r.cells), strict=True)) for r in rows]
    assert [f["ε claimed"] for f in found] == ["1", "50"]
    first, second = (float(f["TPR at 1% FPR"].split()[0]) for f in found)
    assert second > first + 0.3
    assert "guarantee" not in found[1]["remark"]


def test_what_fits_no_attacked_setting_has_a_row_of_its_own(folder):
    records.write(outcomes.membership(), folder / "other")
    row = texts(board(folder), "dpsgd")
    assert row["attacked on"] == "digits"
    assert row["adaptive PSNR (dB)"] == "-"
    assert row["TPR at 1% FPR"] != "-"


def test_a_record_that_does_not_say_its_options_is_not_put_to_one_of_several(folder):
    records.write(asked(outcomes.membership(gap=3.0), "dprs", {}), folder / "vague")
    vague = [r for r in board(folder).rows if r.cells[0].text == "dprs"]
    assert len(vague) == 1


def test_there_is_no_board_of_a_single_row(tmp_path):
    records.write(outcomes.membership(), tmp_path / "one")
    assert board(tmp_path) is None


def test_columns_in_which_nothing_stands_are_left_out(tmp_path):
    for rate in (0.0, 0.9):
        records.write(outcomes.inversion(rate=rate), tmp_path / f"invert-{rate}")
    table = board(tmp_path)
    assert not {"TPR at 1% FPR", "ε at least", "accuracy cost (points)"} & {*table.heads}
    assert "attacked on" not in table.heads
    (title,) = (p.title for p in build_panels(sort_out(gather([tmp_path])).inversions))
    assert table.caption.endswith(f"; attacked on {title}")
    assert all(len(row.cells) == len(table.heads) for row in table.rows)
    paper = [table.heads[i] for i in table.brief]
    assert paper == [h for h in table.heads if "LPIPS" not in h and h != "records"]


def test_an_attack_without_a_control_is_marked_on_the_scoreboard(tmp_path):
    record = outcomes.inversion(level=13.0, spread=0.1, against={"none": 13.0})
    records.write(record, tmp_path / "one")
    board = next(s for s in outline_of(tmp_path).sections if s.anchor == "scoreboard").table
    assert "cannot be judged" in [c.text for row in board.rows for c in row.cells]
