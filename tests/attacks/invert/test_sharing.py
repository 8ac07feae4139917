"""What a shared part of an update gives away: a table and a figure of a sweep's Records."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from attacks import Scenario
from attacks.invert import sharing
from attacks.invert.study import study
from defenses import BadInput
from reports import records
from reports.charts.chart import NIGHT
from reports.commands.entry import run_command

OPTIONS = [(0.5, "largest"), (0.1, "largest"), (0.1, "random")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("sharing")
    scenes = [
        Scenario(defense="dssgd", defense_options={"theta_u": share, "selection": rule})
        for share, rule in OPTIONS
    ]
    for index, scene in enumerate([*scenes, Scenario(defense="none")]):
        quick = {"data": "digits", "model": "linear", "images": 2, "attack": "prior"}
        asked = Scenario(**{**scene.document(), **quick, "against": (), "columns": "adaptive"})
        records.write(study(asked), place / str(index))
    return place


@pytest.fixture
def invoke(monkeypatch, capsys, tmp_path):
    def go(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [sharing.PROG, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            run_command(sharing.main, sharing.PROG)
        text = capsys.readouterr()
        return left.value.code, text.out, text.err

    return go


def test_every_upload_is_a_row_beside_its_bytes_and_the_control(folder, invoke, tmp_path):
    code, out, err = invoke(folder)
    assert code == 0, err
    rows = [line for line in out.splitlines() if line.startswith(("| largest", "| random"))]
    told = [tuple(cell.strip() for cell in row.split("|")[1:4]) for row in rows]
    size = 10 * 64 + 10
    assert [row[:2] for row in told] == [("largest", "0.5"), ("largest", "0.1"), ("random", "0.1")]
    assert told[0][2] == f"{8 * size // 2:,}" or told[0][2] == f"{4 * size // 2:,}"
    assert "whole update: psnr" in out and "no update: psnr" in out
    assert (tmp_path / "sharing.png").stat().st_size > 10_000


def test_the_chart_tells_its_numbers_and_is_drawn_in_any_theme(folder):
    found = [records.read(path) for path in sorted(folder.iterdir())]
    lines = sharing.uploads(found)
    assert [line.label for line in lines] == ["largest", "random"]
    control = sharing.undefended_scores(sharing.controls(found))
    chart = sharing.shared_part_chart(lines, sharing.blind(found), control)
    assert "largest, 0.5 (" in chart.alt and "random, 0.1 (" in chart.alt
    figure = chart.draw(NIGHT)
    assert [axes.get_ylabel() for axes in figure.axes] == list(sharing.QUANTITIES.values())
    told = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert told == ["100", "1,000", "10,000"]


def test_records_of_another_kind_or_of_several_settings_are_refused(folder, invoke, tmp_path):
    code, _, err = invoke(folder / "3")
    assert code == 2 and "no Record of an inversion under dssgd" in err
    other = Scenario(
        data="digits", model="mlp", images=2, attack="prior", defense="dssgd", against=()
    )
    records.write(study(other), tmp_path / "other")
    code, _, err = invoke(folder, tmp_path / "other")
    assert code == 2 and "several settings" in err
    assert len(err.strip().splitlines()) == 1


def test_one_point_is_one_record_and_the_control_is_of_the_same_weights(folder):
    found = [records.read(path) for path in sorted(folder.iterdir())]
    other, control = (
        dataclasses.replace(record, scenario={**record.scenario, "state": state})
        for record, state in ((found[0], "a.safetensors"), (found[3], "b.safetensors"))
    )
    with pytest.raises(BadInput, match="two Records are of largest, trained weights at theta_u"):
        sharing.uploads([*found, other, other])
    assert sharing.controls([other, control]) == []
    untrained = sharing.controls([control, *found])
    assert untrained == sharing.controls(found) == [found[3]]
    assert sharing.undefended_scores(untrained)["psnr"].known


def test_the_naming_advantage_is_what_the_ranks_say(folder):
    record = records.read(folder / "3")
    total = record.bounds["none"]["candidates"]
    for ranks, expected in (((1, 1), 1.0), ((total, total), -1.0), ((1, total), 0.0)):
        rows = [{**row, "rank": rank} for row, rank in zip(record.rows, ranks, strict=True)]
        made = dataclasses.replace(record, rows=rows)
        assert sharing.naming_advantage(made, "none/adaptive").mean == expected
