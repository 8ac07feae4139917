from __future__ import annotations

import json

import pytest

from reports.records.failure import UNREADABLE, Failure, read_failure


def test_a_failure_is_read_as_it_was_written(tmp_path):
    failure = Failure(tmp_path / "job", {"model": "mlp"}, "python -m x", "no", "Traceback")
    assert failure.write() == tmp_path / "job" / "error.json"
    assert read_failure(tmp_path / "job") == failure


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", UNREADABLE),
        ("[1]", UNREADABLE),
        ("[" * 100_000, UNREADABLE),
        (json.dumps({"scenario": 3, "command": None, "error": {}}), UNREADABLE),
        (json.dumps({"error": "two\nlines \u202e"}), "two lines \ufffd"),  # 0.1 kept no scenario
    ],
)
def test_what_cannot_be_read_is_empty(tmp_path, text, error):
    (tmp_path / "error.json").write_text(text)
    assert read_failure(tmp_path) == Failure(tmp_path, {}, "", error)
