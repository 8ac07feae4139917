from __future__ import annotations

import pytest
import torch

from defenses import BadInput
from reports import Record, load, records
from tests.reports.records.test_store import record


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_record_is_saved_and_loaded_by_str_and_by_path(tmp_path, kind):
    folder = record().save(kind(tmp_path / "runs" / "mine"))
    assert folder == tmp_path / "runs" / "mine"
    for path in (folder, folder / "result.json", tmp_path):
        found = load(kind(path))
        assert found.document() == record().document()
        assert torch.equal(found.arrays["dprs/adaptive"], record().arrays["dprs/adaptive"])
    assert Record.load(kind(folder)).document() == record().document()


def test_another_record_is_not_overwritten(tmp_path):
    record().save(tmp_path / "one")
    record(environment={"date": "tomorrow"}).save(tmp_path / "one")  # the same result
    other = record(scenario={"model": "mlp"})
    before = (tmp_path / "one" / "result.json").read_bytes()
    with pytest.raises(BadInput, match="another result"):
        other.save(tmp_path / "one")
    assert (tmp_path / "one" / "result.json").read_bytes() == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="is a file"):
        other.save(tmp_path / "file")


def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="no folder, but a file"):
        load(tmp_path / "file")
    with pytest.raises(BadInput, match=r"holds no Record$"):
        load(tmp_path)
    for name in "abcd":
        records.write(record(scenario={"model": name}), tmp_path / "runs" / name)
    with pytest.raises(BadInput, match=r"holds 4 Records, load one: .*/a, .*/b, .*/c and 1 more"):
        load(tmp_path / "runs")
    (tmp_path / "runs" / "a" / "arrays.safetensors").unlink()
    with pytest.raises(BadInput, match="that can be read: its run is not complete"):
        load(tmp_path / "runs" / "a")
