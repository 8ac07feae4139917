"""The notebooks run as they are shown, and show what they were kept with."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.docs.notebooks import TUTORIALS, execute


def kinds(book) -> list[list[str]]:
    """What every code cell gives: streams by their name, results by what they can be shown as."""
    return [
        sorted({k for o in cell["outputs"] for k in ([o["name"]] if "name" in o else o["data"])})
        for cell in book["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_shows_what_it_was_kept_with(path):
    pytest.importorskip("nbclient", reason="nbclient is not installed: tutorials are not run")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: tutorials are not run")
    assert kinds(execute(path)) == kinds(json.loads(path.read_text()))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_kept_with_what_it_shows_and_small(path):
    assert any("text/html" in found for found in kinds(json.loads(path.read_text())))
    assert len(path.read_bytes()) < 500_000


def shown_by(code: str, names: dict[str, Any]) -> list[str]:
    """What a cell would be kept with: its code is run here, its last value looked at."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    found = []
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(tree, "cell", "exec"), names)
        value = last and eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if said.getvalue():
        found.append("stdout")
    if value is not None and not code.endswith(";"):
        found += ["text/html"] * bool(value._repr_html_()) + ["text/plain"]
    return found


FEWER = {'"images": 8': '"images": 1', '"evaluations": 30': '"evaluations": 4'}


def test_the_cells_of_the_main_job_run_on_one_image(tmp_path, monkeypatch):
    """Here and now; with all images, in a kernel, the slow test runs them."""
    pytest.importorskip("pandas", reason="pandas is not installed: a cell wants it")
    (path,) = (path for path in TUTORIALS if path.stem == "main_job")
    book = json.loads(path.read_text())
    code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    for many, few in FEWER.items():
        assert many in code[0]
        code[0] = code[0].replace(many, few)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    assert [shown_by(cell, names) for cell in code] == kinds(book)
    assert Path("report/index.html").exists()


def test_the_tests_of_the_tutorial_fail_before_the_noise_and_pass_after_it():
    (path,) = (path for path in TUTORIALS if path.stem == "own_defense")
    outputs = [o for c in json.loads(path.read_text())["cells"] for o in c.get("outputs", [])]
    told = ["".join(o["text"]) for o in outputs if o.get("name") == "stdout"]
    runs = [text for text in told if " in " in text]
    assert "1 failed" in runs[0] and "found.gain.high < 3" in runs[0]
    assert "1 passed" in runs[1] and "failed" not in runs[1]
    assert not any("/tmp" in text or "/root" in text for text in told)
