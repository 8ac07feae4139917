from __future__ import annotations

import json

import pytest
import torch

from reports import records
from reports.records import Partial, Record, atomic


def record(**changed) -> Record:
    row = {"image": 0, "defense": "dprs", "adaptive": True, "psnr": 20.0, "ssim": 0.5}
    whole = {
        "kind": "inversion",
        "scenario": {"model": "lenet"},
        "rows": [{**row, "lpips": None, "seconds": 1.0}],
        "summary": {"dprs/adaptive": {"psnr": {"mean": 20.0, "low": None, "high": None, "n": 1}}},
        "baseline": {},
        "bounds": {"dprs": {"options": {"clip": 1.0}, "epsilon": None, "delta": 1e-5}},
        "environment": {"date": "today"},
        "arrays": {"dprs/adaptive": torch.full((1, 3, 8, 8), 0.5)},
    }
    return Record(**{**whole, **changed})


def test_a_record_survives_the_disk(tmp_path):
    path = records.write(record(), tmp_path / "out")
    found = records.read(tmp_path / "out")
    assert found is not None
    assert found.document() == record().document()
    assert torch.equal(found.arrays["dprs/adaptive"], record().arrays["dprs/adaptive"])
    assert json.loads(path.read_text())["rows"][0]["psnr"] == 20.0


def test_what_is_incomplete_is_no_record(tmp_path):
    assert records.read(tmp_path) is None
    path = records.write(record(), tmp_path)
    path.write_text(path.read_text()[:-20])
    assert records.read(tmp_path) is None
    records.write(record(), tmp_path)
    arrays = tmp_path / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:40])
    assert records.read(tmp_path) is None


def test_nan_never_reaches_a_result(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(record(baseline={"psnr": float("nan")}), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["arrays.safetensors"]


def test_canonical_leaves_out_clock_and_machine_only():
    base = records.canonical(record())
    later = [{**record().rows[0], "seconds": 9.0}]
    assert records.canonical(record(rows=later, environment={"date": "tomorrow"})) == base
    better = [{**record().rows[0], "psnr": 21.0}]
    assert records.canonical(record(rows=better)) != base
    other = {"dprs/adaptive": torch.full((1, 3, 8, 8), 0.6)}
    assert records.canonical(record(arrays=other)) != base


def test_pieces_are_whole_or_absent(tmp_path):
    partial = Partial(tmp_path)
    assert partial.load("0123456789-a") is None
    partial.save("0123456789-a", {"rows": [1]}, {"x": torch.arange(3)})
    facts, arrays = partial.load("0123456789-a")
    assert facts == {"rows": [1]}
    assert arrays["x"].tolist() == [0, 1, 2]
    (tmp_path / "partial" / "0123456789-a.json").unlink()
    assert partial.load("0123456789-a") is None
    records.write(record(), tmp_path)
    assert not (tmp_path / "partial").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as scratch:
        scratch.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
