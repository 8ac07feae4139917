from __future__ import annotations

import json
import math

import pytest
import torch

from reports import records
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import outcomes


def test_records_are_found_below_and_each_once(tmp_path):
    for name in ("a/deep/one", "a/two", "a/partial/no", "a/.hidden/no"):
        records.write(outcomes.inversion(rate=0.1 * len(name)), tmp_path / name)
    found = gather([tmp_path, tmp_path / "a" / "two"])
    assert [s.path.name for s in found.sources] == ["one", "two"]
    assert [s.anchor for s in found.sources] == ["record-1", "record-2"]
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert len(gather([tmp_path]).sources) == 2


def test_a_sweep_gives_its_jobs_and_nothing_else(tmp_path):
    outcomes.sweep(tmp_path)
    records.write(outcomes.inversion(), tmp_path / "stray")
    listed = json.loads((tmp_path / "sweep.json").read_text())
    listed["jobs"].append({"key": "abcdefabcd", "command": "python -m later"})
    (tmp_path / "sweep.json").write_text(json.dumps(listed))
    found = gather([tmp_path])
    assert len(found.sources) == 12
    assert [f.error for f in found.failures] == [
        f"no such model {outcomes.HOSTILE}",
        "not run yet, or not finished",
    ]
    assert found.failures[1].command == "python -m later"


@pytest.mark.parametrize("text", ["[", '{"jobs": 3}', '{"jobs": [{"key": "../../etc"}]}', "[[]]"])
def test_an_unreadable_sweep_is_searched_and_said(tmp_path, text):
    records.write(outcomes.inversion(), tmp_path / "one")
    (tmp_path / "sweep.json").write_text(text)
    found = gather([tmp_path])
    assert [s.path.name for s in found.sources] == ["one"]
    assert [p.name for p, _ in found.skipped] == ["sweep.json"]


def test_hostile_json_is_skipped_with_a_reason(tmp_path):
    records.write(outcomes.inversion(), tmp_path / "good")
    texts = {
        "deep": "[" * 100_000,
        "list": "[]",
        "types": json.dumps(dict.fromkeys(outcomes.inversion().document(), 3)),
        "empty": "",
    }
    for name, text in texts.items():
        records.write(outcomes.inversion(), tmp_path / name)
        (tmp_path / name / "result.json").write_text(text)
    found = gather([tmp_path, tmp_path / "nowhere"])
    assert [s.path.name for s in found.sources] == ["good"]
    assert {p.name for p, _ in found.skipped} == {*texts, "nowhere"}
    assert all(reason and "\n" not in reason for _, reason in found.skipped)


def _spoil(record, path, value):
    at = record.document()
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return record


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows", 0, "psnr"), "24"),
        (("rows", 0, "psnr"), True),
        (("rows", 0, "image"), 0.5),
        (("rows", 0, "image"), 1),
        (("rows", 0, "adaptive"), "yes"),
        (("rows", 0, "defense"), "unlisted"),
        (("rows", 0), None),
        (("scenario", "seed"), None),
        (("scenario", "seed"), 2**70),
        (("scenario", "images"), -1),
        (("scenario", "model"), ["lenet"]),
        (("bounds", "dprs", "epsilon"), -1),
        (("bounds", "dprs", "delta"), 2),
        (("bounds", "dprs", "options", "rate"), "0.9"),
        (("bounds", "dprs"), 7),
        (("baseline", "rows"), {"image": 0}),
        (("baseline", "rows", 0, "psnr"), [1]),
    ],
)
def test_a_wrong_type_costs_its_record_only(tmp_path, path, value):
    records.write(outcomes.inversion(seed=1), tmp_path / "good")
    records.write(_spoil(outcomes.inversion(), path, value), tmp_path / "bad")
    found = sort_out(gather([tmp_path]))
    assert [i.source.path.name for i in found.inversions] == ["good"]
    assert [p.name for p, _ in found.gathered.skipped] == ["bad"]


@pytest.mark.parametrize(
    ("record", "path", "value"),
    [
        (outcomes.training(), ("summary", "accuracy"), 0.8),
        (outcomes.training(), ("summary", "accuracy", "mean"), 80),
        (outcomes.training(), ("bounds", "epsilon"), 3),
        (outcomes.membership(), ("bounds", "epsilon"), "small"),
        (outcomes.membership(), ("summary", "auc"), "high"),
        (outcomes.membership(), ("summary", "strongest"), ["lira"]),
        (outcomes.membership(), ("rows", 3), None),
        (outcomes.membership(), ("rows", 3, "member"), "yes"),
        (outcomes.membership(), ("rows", 3, "member"), 1),
        (outcomes.membership(), ("rows", 0, "example"), 0.5),
        (outcomes.membership(), ("rows", 0, "label"), None),
        (outcomes.membership(), ("rows", 0, "false_alarms"), "none"),
        (outcomes.membership(), ("rows", 0, "false_alarms"), True),
        (outcomes.membership(), ("rows", 0, "false_alarms"), -1),
        (outcomes.membership(), ("rows", 0, "false_alarms"), 201),
        (outcomes.membership(), ("rows", 0, "false_alarms"), 100),
        (outcomes.audit(), ("rows", 0, "audited"), "most"),
        (outcomes.audit(), ("rows", 0), {}),
    ],
)
def test_other_kinds_are_checked_too(tmp_path, record, path, value):
    document = json.loads(json.dumps(record.document()))
    copy = records.Record.of(document, record.arrays)
    records.write(_spoil(copy, path, value), tmp_path / "bad")
    found = sort_out(gather([tmp_path])).gathered
    assert found.sources == []
    assert [p.name for p, _ in found.skipped] == ["bad"]


def test_membership_scores_that_cannot_be_used_are_refused(tmp_path):
    for name, scores in (("nan", torch.full((400,), math.nan)), ("short", torch.zeros(3))):
        record = outcomes.membership()
        record.arrays["scores/lira"] = scores
        records.write(record, tmp_path / name)
    found = sort_out(gather([tmp_path])).gathered
    assert {p.name for p, _ in found.skipped} == {"nan", "short"}
