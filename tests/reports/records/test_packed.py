"""A packed file comes back as it was written, and anything else is refused in one line."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from defenses import BadInput
from reports.records.packed import read_packed, write_packed

FACTS, TENSORS = {"step": 3, "rows": [1.5]}, {"w": torch.arange(6.0).reshape(2, 3).T}


def test_facts_and_tensors_come_back(tmp_path):
    path = write_packed(tmp_path / "deep" / "one.safetensors", "form-1", FACTS, TENSORS)
    facts, tensors = read_packed(path, "form-1", "thing")
    assert facts == FACTS
    assert torch.equal(tensors["w"], TENSORS["w"])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format": "form-2", "facts": "{}"}, r"is no thing \(form-1\)"),
        ({}, r"is no thing \(form-1\)"),
        ({"format": "form-1"}, "holds a damaged thing"),
        ({"format": "form-1", "facts": "{"}, "holds a damaged thing"),
        ({"format": "form-1", "facts": json.dumps([1])}, "holds a damaged thing"),
    ],
)
def test_another_file_is_refused(tmp_path, about, message):
    save_file({"w": torch.zeros(1)}, tmp_path / "one", about)
    with pytest.raises(BadInput, match=message):
        read_packed(tmp_path / "one", "form-1", "thing")


def test_a_missing_or_truncated_file_is_refused(tmp_path):
    path = write_packed(tmp_path / "one", "form-1", FACTS, TENSORS)
    path.write_bytes(path.read_bytes()[:-4])
    for name in ("one", "two"):
        with pytest.raises(BadInput, match="is not a readable thing"):
            read_packed(tmp_path / name, "form-1", "thing")
