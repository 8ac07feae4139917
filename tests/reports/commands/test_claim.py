"""A folder of results is one run's at a time, nobody else's, and emptied of its own alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from defenses import BadInput
from reports.commands.claim import Writes, claim, probe
from reports.commands.mark import MARK
from tests import fresh

WRITES = Writes("attacks.some", ("result.json", "parts/step-*.txt"))


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}


def filled(folder: Path) -> Path:
    with claim(folder, WRITES):
        (folder / "result.json").write_text("1")
        (folder / "parts").mkdir()
        (folder / "parts" / "step-1.txt").write_text("1")
    return folder


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path):
    with claim(tmp_path / "a" / "b", WRITES):
        assert (tmp_path / "a" / "b").is_dir()
    probe(tmp_path / "c" / "d")
    assert list(tmp_path.iterdir()) == []


def test_clear_deletes_what_the_command_wrote_and_nothing_else(tmp_path):
    out = filled(tmp_path / "out")
    mine = {"notes.txt", "parts/step-1.csv", "parts/notes.txt", "deep/result.json"}
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (out / ".result.json.77.json").write_text("half")  # a write that a kill cut short
    with claim(out, WRITES) as held:
        held.refuse_strangers()
        held.clear()
        assert files(out) == mine | {MARK}


def test_clear_follows_no_link(tmp_path):
    out, elsewhere = filled(tmp_path / "out"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "step-2.txt").write_text("mine")
    (out / "parts" / "step-1.txt").unlink()
    (out / "parts").rmdir()
    (out / "parts").symlink_to(elsewhere)
    (out / "result.json").unlink()
    (out / "result.json").symlink_to(elsewhere / "step-2.txt")
    with claim(out, WRITES) as held:
        held.clear()
    assert (elsewhere / "step-2.txt").read_text() == "mine"
    assert files(tmp_path / "elsewhere") == {"step-2.txt"}
    assert not (out / "result.json").is_symlink()


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with claim(tmp_path, WRITES) as held, pytest.raises(BadInput, match="not known to hold"):
        held.refuse_strangers()
    assert files(tmp_path) == {"thesis.tex"}


def test_files_of_the_same_name_are_not_overwritten(tmp_path):
    (tmp_path / "result.json").write_text("mine")
    with (
        pytest.raises(BadInput, match=r"holds result\.json, which is not known to be of"),
        claim(tmp_path, WRITES),
    ):
        pass
    assert files(tmp_path) == {"result.json"}
    with claim(tmp_path, WRITES, recognise=lambda folder: True) as held:
        held.refuse_strangers()


def test_results_of_another_command_are_not_overwritten(tmp_path):
    filled(tmp_path / "out")
    other = Writes("attacks.other", ("else.json",))
    with pytest.raises(BadInput, match=r"holds results of attacks\.some"):
        claim(tmp_path / "out", other).__enter__()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / MARK).write_text("a file of mine")
    with pytest.raises(BadInput, match="is not of leakgauge"):
        claim(tmp_path / "theirs", other).__enter__()
    assert (tmp_path / "theirs" / MARK).read_text() == "a file of mine"


def test_what_was_made_is_remembered(tmp_path):
    with claim(tmp_path, WRITES) as held:
        assert held.made() is None
        (tmp_path / "result.json").write_text("1")
        held.finish({"of": [1, 2]})
    with claim(tmp_path, WRITES) as held:
        assert held.made() == {"of": [1, 2]}


def test_a_second_run_is_refused_until_the_first_ends(tmp_path):
    with claim(tmp_path / "out", WRITES):
        for attempt in (lambda: claim(tmp_path / "out", WRITES).__enter__(), None):
            with pytest.raises(BadInput, match="another run is writing into"):
                attempt() if attempt else probe(tmp_path / "out")
        assert (tmp_path / "out" / MARK).exists()
    with claim(tmp_path / "out", WRITES):
        pass


def test_a_killed_run_releases_its_folder(tmp_path):
    out = tmp_path / "out"
    code = (
        "import pathlib, sys, time\n"
        "from reports.commands.claim import Writes, claim\n"
        f"with claim(pathlib.Path({str(out)!r}), Writes('attacks.some', ('result.json',))):\n"
        "    print('held')\n"
        "    time.sleep(60)\n"
    )
    run = fresh.start("-c", code)
    run.until(lambda: run.out == "held\n")
    with pytest.raises(BadInput, match="another run"):
        probe(out)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    with claim(out, WRITES):
        pass


@pytest.mark.parametrize("where", ["file", "file/below", "dangling", "a\0b", "n" * 300])
def test_a_folder_that_cannot_be_is_one_line(tmp_path, where):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for attempt in (probe, lambda folder: claim(folder, WRITES).__enter__()):
        with pytest.raises(BadInput, match="--out ") as caught:
            attempt(tmp_path / where)
        assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dangling", "file"]


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match="cannot be written: Permission denied"):
        claim(tmp_path / "out", WRITES).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_folder_is_that_folder(tmp_path):
    filled(tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with claim(tmp_path / "link", WRITES) as held:
        held.refuse_strangers()
        held.clear()
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "out") == set()
