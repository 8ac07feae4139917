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


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_shows_what_it_was_kept_with(path):
    pytest.importorskip("nbclient", reason="nbclient is not installed: tutorials are not run")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: tutorials are not run")
    kept = json.loads(path.read_text())
    assert kinds(execute(path)) == kinds(kept)
    assert any("text/html" in found for found in kinds(kept))
    assert len(path.read_bytes()) < 500_000
