"""Records that earlier versions stored: each opens, is found valid, and is shown in a report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from defenses import BadInput
from reports import build, records
from reports.charts.scores_by_step import Moment, step_chart
from reports.commands.keep import earlier_record
from reports.page.outline import build_outline
from reports.records.find import gather
from reports.records.keyed import key_of
from reports.records.kinds import sort_out
from reports.records.record import VERSION
from reports.records.upgrade import UNKNOWN, upgrade
from reports.sweep import command as sweep
from reports.sweep.combine import Job
from tests import outcomes

FIXTURES = Path(__file__).parents[2] / "fixtures" / "records"
OLD = sorted(path.name for path in FIXTURES.iterdir())
RELEASED = FIXTURES.parent / "records-0.1"
"""Records that 0.1 itself wrote: its first published state (9112987), and its last (0af8807)."""
WRITTEN = sorted(p.parent.relative_to(RELEASED).as_posix() for p in RELEASED.rglob("result.json"))
SECTIONS = {
    "inversion": "panel-1",
    "observation": "panel-1",
    "membership": "memberships",
    "audit": "audits",
    "training": "trainings",
}
"""Kind -> the part of the report that it is in."""


def test_every_kind_of_every_version_is_kept():
    assert set(OLD) == {f"{kind}-v{v}" for kind in SECTIONS for v in range(1, VERSION)}


@pytest.fixture(params=OLD)
def old(request):
    return FIXTURES / request.param


def kind_of(folder):
    return folder.name.rpartition("-v")[0]


def test_an_old_record_opens_as_one_of_this_version(old, tmp_path):
    stored = json.loads((old / "result.json").read_text())
    assert stored.get("version", 1) == int(old.name.rpartition("-v")[2])
    record = records.read(old)
    assert record.kind == kind_of(old)
    again = json.loads(records.write(record, tmp_path).read_text())
    assert (again["version"], again["kind"]) == (VERSION, kind_of(old))
    assert records.canonical(records.read(tmp_path)) == records.canonical(record)


def test_an_old_record_is_valid_and_has_its_part_of_the_report(old):
    found = sort_out(gather([old]))
    outline = build_outline(found, "title")
    assert found.gathered.skipped == [] and len(found.gathered.sources) == 1
    (section,) = (s for s in outline.sections if s.anchor == SECTIONS[kind_of(old)])
    assert section.table is not None and section.table.rows


def test_every_kind_that_0_1_had_a_command_for_was_written_by_it():
    kinds = ("audit", "inversion", "membership", "training")
    assert [f"{state}/{kind}" for state in ("first", "last") for kind in kinds] == WRITTEN
    for name in WRITTEN:
        told = json.loads((RELEASED / name / "result.json").read_text())
        assert told["environment"]["versions"]["leakgauge"] == "0.1.0"
        assert "version" not in told and "kind" not in told


@pytest.mark.parametrize("name", WRITTEN)
def test_a_record_that_0_1_wrote_opens_and_has_its_part_of_the_report(name, tmp_path):
    record, kind = records.read(RELEASED / name), name.rpartition("/")[2]
    assert record.kind == kind
    found = sort_out(gather([RELEASED / name]))
    assert found.gathered.skipped == []
    (section,) = (s for s in build_outline(found, "title").sections if s.anchor == SECTIONS[kind])
    assert section.table is not None and section.table.rows
    records.write(record, tmp_path)
    assert records.canonical(records.read(tmp_path)) == records.canonical(record)
    assert earlier_record(RELEASED / name, record.scenario).scenario == record.scenario


def test_a_page_of_what_0_1_wrote_shows_all_of_it(tmp_path, capsys):
    build.main([str(RELEASED), "--out", str(tmp_path / "report")])
    said = capsys.readouterr().out
    assert f"{len(WRITTEN)} records" in said and "0 skipped" in said
    page = (tmp_path / "report" / "index.html").read_text()
    assert all(f'id="{anchor}"' in page for anchor in set(SECTIONS.values()))


def test_all_old_records_make_one_report(tmp_path, capsys):
    build.main([str(FIXTURES), "--out", str(tmp_path / "report")])
    assert f"{len(OLD)} records" in capsys.readouterr().out
    page = (tmp_path / "report" / "index.html").read_text()
    assert all(f'id="{name}"' in page for name in SECTIONS.values())


@pytest.mark.parametrize("name", [name for name in OLD if not name.startswith("observation")])
def test_an_old_record_is_found_again_and_not_run_again(name):
    record = records.read(FIXTURES / name)
    assert earlier_record(FIXTURES / name, record.scenario).scenario == record.scenario
    job = Job("attacks.invert", (), key_of(record.scenario), "")
    assert sweep._is_finished(FIXTURES / name, job)


def test_an_old_observation_is_found_where_the_files_that_it_names_are(tmp_path, monkeypatch):
    record = records.read(FIXTURES / "observation-v1")
    with pytest.raises(BadInput, match="No such file"):
        earlier_record(FIXTURES / "observation-v1", record.scenario)
    (tmp_path / "weights.safetensors").write_bytes(b"others")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="what state names has changed"):
        earlier_record(FIXTURES / "observation-v1", record.scenario)


def test_a_later_version_is_refused_in_one_line(tmp_path, capsys):
    folder = tmp_path / "later"
    path = records.write(outcomes.inversion(), folder)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "version": VERSION + 1, "new": {}}))
    line = f"format version {VERSION + 1}, and this leakgauge reads versions up to {VERSION}"
    for refused in (
        lambda: records.read(folder),
        lambda: earlier_record(folder, document["scenario"]),
        lambda: build.main([str(folder), "--out", str(tmp_path / "report")]),
    ):
        with pytest.raises(BadInput, match=line) as caught:
            refused()
        assert "\n" not in str(caught.value) and "later" in str(caught.value)
    records.write(outcomes.inversion(), tmp_path / "good")
    build.main([str(tmp_path), "--out", str(tmp_path / "report")])
    assert f"skipped {folder}: it is of {line}" in capsys.readouterr().out
    assert json.loads(path.read_text())["version"] == VERSION + 1


@pytest.mark.parametrize("version", [0, -1, True, "2", 2.0, None, [1]])
def test_what_is_no_version_is_no_record(tmp_path, version):
    path = records.write(outcomes.inversion(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": version}))
    assert records.read(tmp_path) is None
    assert gather([tmp_path]).skipped == [(tmp_path, "not readable as a Record")]


@pytest.mark.parametrize("kind", [None, 3, ["inversion"], {}, "nonesuch"])
def test_a_kind_that_is_none_costs_its_record_only(tmp_path, kind):
    path = records.write(outcomes.inversion(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "kind": kind}))
    found = sort_out(gather([tmp_path])).gathered
    assert found.sources == [] and [p for p, _ in found.skipped] == [tmp_path]


def test_the_kind_that_a_record_says_counts_whatever_it_holds(tmp_path):
    record = outcomes.membership()
    record.summary["accuracy"] = {"mean": 0.5}  # by its keys a training
    records.write(record, tmp_path)
    assert len(sort_out(gather([tmp_path])).memberships) == 1


def test_the_kind_of_a_first_record_is_told_by_what_it_holds():
    def kind(arrays=(), **document):
        return upgrade(document, arrays)["kind"]

    assert kind(scenario={"attack": "auto", "columns": "both"}) == "inversion"
    assert kind(scenario={"attack": "", "columns": "", "observation": "x"}) == "observation"
    assert kind(summary={"accuracy": {}}) == "training"
    assert kind(summary={"auc": {}}) == kind(["members"]) == "membership"
    assert kind(rows=[{"claimed": None, "audited": 1.0}]) == "audit"
    assert kind() == kind(scenario=3, summary=[], rows=[3]) == UNKNOWN


def test_pictures_of_old_records_are_drawn_as_before(tmp_path):
    from attacks.membership import show

    shutil.copytree(FIXTURES / "membership-v1", tmp_path / "old")
    record = records.read(tmp_path / "old")
    show.draw(record, tmp_path)
    assert all((tmp_path / name).exists() for name in show.FIGURES)
    assert "most exposed members" in show.table(record)
    assert torch.equal(record.arrays["members"] > 0, record.arrays["members"].bool())


def test_a_step_of_a_run_that_was_attacked_before_is_drawn():
    moment = Moment("run", 3, records.read(FIXTURES / "inversion-v1"))
    chart = step_chart([moment])
    assert moment.rate == 0.5 and moment.guess["psnr"].known
    assert f"{moment.mean('adaptive', 'psnr').show()} at 3" in chart.alt
