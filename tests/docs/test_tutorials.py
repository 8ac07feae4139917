"""The notebooks run as they are shown, and show what they were kept with."""

from __future__ import annotations

import json

import pytest

from tests.docs.notebooks import TUTORIALS, execute


def kinds(book) -> list[list[str]]:
    """What every code cell gives: streams by their name, results by what they can be shown as."""
    return [
        sorted({k for o in cell["outputs"] for k in ([o["name"]] if "name" in o else o["data"])})
        for cell in book["cells"]
        if cell["cell_type"] == "code"
    ]


LONG = {"own_defense"}
"""Runs pytest twice, each in a process of its own."""


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in LONG)) for p in TUTORIALS],
    ids=lambda path: path.stem,
)
def test_a_tutorial_runs_and_shows_what_it_was_kept_with(path):
    pytest.importorskip("nbclient", reason="nbclient is not installed: tutorials are not run")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: tutorials are not run")
    kept = json.loads(path.read_text())
    assert kinds(execute(path)) == kinds(kept)
    assert any("text/html" in found for found in kinds(kept))
    assert len(path.read_bytes()) < 500_000


def test_the_tests_of_the_tutorial_fail_before_the_noise_and_pass_after_it():
    (path,) = (path for path in TUTORIALS if path.stem == "own_defense")
    outputs = [o for c in json.loads(path.read_text())["cells"] for o in c.get("outputs", [])]
    told = ["".join(o["text"]) for o in outputs if o.get("name") == "stdout"]
    runs = [text for text in told if " in " in text]
    assert "1 failed" in runs[0] and "found.gain.high < 3" in runs[0]
    assert "1 passed" in runs[1] and "failed" not in runs[1]
    assert not any("/tmp" in text or "/root" in text for text in told)
