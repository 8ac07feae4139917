"""What becomes of a folder of results: every command refuses, replaces and keeps the same way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from attacks.audit import __main__ as audit
from attacks.invert import __main__ as inversion
from attacks.invert import along, show
from attacks.membership import __main__ as membership
from reports import build
from reports.commands.claim import Writes, claim
from reports.commands.entry import run_command
from reports.commands.mark import MARK
from reports.sweep import command as sweep
from victims import train

QUICK = ["--model", "linear", "--data", "digits", "--images", "1", "--attack", "prior"]
QUICK += ["--defense", "dpsgd", "--candidates", "1"]
TRAINING = ["--data", "digits", "--model", "linear", "--count", "40", "--batch-size", "8"]
TRAINING += ["--epochs", "1", "--defense", "dpsgd", "--noise-multiplier", "1"]
MEMBERSHIP = ["--shadows=2", "--population=4", "--watched=0", "--attacks=loss", "--jobs=1"]
MEMBERSHIP += ["--layout=plain"]
COMMANDS = {
    "attacks.invert": (inversion, [*QUICK, "--against", "--adaptive"], ["--seed", "1"]),
    "attacks.membership": (
        membership,
        [*TRAINING, *MEMBERSHIP],
        ["--seed", "1"],
    ),
    "attacks.audit": (
        audit,
        [*TRAINING, "--canaries=8", "--methods=one-run", "--jobs=1"],
        ["--seed", "1"],
    ),
    "victims.train": (train, TRAINING, ["--seed", "1"]),
}


@pytest.fixture
def go(monkeypatch, capsys, tmp_path):
    """Run a command in this process, in ``tmp_path``; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def invoke(name, *words):
        module = COMMANDS[name][0] if name in COMMANDS else {"along": along, "build": build}[name]
        monkeypatch.setattr("sys.argv", ["prog", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            run_command(module.main, "prog")
        text = capsys.readouterr()
        return left.value.code, text.out, text.err

    return invoke


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_of_results_from_first_to_last(go, tmp_path, name):
    _, words, other = COMMANDS[name]
    out = tmp_path / "out"
    with claim(out, Writes(name, ())):  # somebody is at it
        code, _, err = go(name, *words, "--out", "out")
        assert (code, "another run is writing into out" in err) == (2, True), err
    code, _, err = go(name, *words, "--out", "out")
    assert code == 0, err
    first = contents(out)
    assert "result.json" in first

    code, _, err = go(name, *words, *other, "--out", "out")
    assert code == 2
    assert "holds the result of other flags or another version" in err
    assert err.count("\n") == 1
    assert contents(out) == first

    code, _, err = go(name, *words, "--lr" if name != "attacks.invert" else "--budget", "-1",
                      "--fresh", "--out", "out")  # fmt: skip
    assert code == 2, err
    assert contents(out) == first  # bad flags cost nothing

    (out / "notes.txt").write_text("mine")
    (out / "own").mkdir()
    (out / "own" / "result.json").write_text("mine")
    code, _, err = go(name, *words, *other, "--fresh", "--out", "out")
    assert code == 0, err
    assert contents(out)["result.json"] != first["result.json"]
    assert set(contents(out)) == set(first) | {"notes.txt", "own/result.json"}
    assert (out / "own" / "result.json").read_text() == "mine"


def test_a_result_of_an_older_version_is_known_by_its_command(go, tmp_path):
    words = [*QUICK, "--against", "--adaptive", "--out", "out"]
    assert go("attacks.invert", *words)[0] == 0
    (tmp_path / "out" / MARK).unlink()
    assert "holds this result already" in go("attacks.invert", *words)[1]
    (tmp_path / "out" / MARK).unlink()
    code, _, err = go("attacks.invert", *words, "--fresh")
    assert code == 0, err
    (tmp_path / "out" / MARK).unlink()
    assert "holds result.json, which is not known" in go("victims.train", "--out", "out")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_fresh_deletes_nothing_in_a_folder_of_something_else(go, tmp_path, name):
    _, words, _ = COMMANDS[name]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    code, _, err = go(name, *words, "--fresh", "--out", "thesis")
    assert code == 2
    assert f"thesis is not known to hold results of {name}" in err
    assert set(contents(tmp_path / "thesis")) == {"chapter.tex"}
    (tmp_path / "thesis" / "result.json").write_text('{"a": 1}')
    for more in ([], ["--fresh"]):
        code, _, err = go(name, *words, *more, "--out", "thesis")
        assert (code, "holds result.json, which is not known" in err) == (2, True), err
    assert (tmp_path / "thesis" / "result.json").read_text() == '{"a": 1}'


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_cannot_be_written_is_noticed_first(go, tmp_path, monkeypatch, name):
    (tmp_path / "file").write_text("mine")
    module, words, _ = COMMANDS[name]

    def never(*_, **__):
        raise AssertionError("computed before the folder was tried")

    monkeypatch.setattr(module, "_train" if name == "victims.train" else "run", never)
    for out in ("file", "file/below", "/proc/nowhere", "n" * 300):
        code, _, err = go(name, *words, "--out", out)
        assert (code, err.count("\n"), "--out" in err) == (2, 1, True), err
    assert os.listdir(tmp_path) == ["file"]


def test_a_figure_that_fails_costs_no_result_and_is_drawn_next_time(go, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no font\nat all")

    words = [*QUICK, "--against", "--adaptive", "--out", "out"]
    with monkeypatch.context() as patch:
        patch.setattr(show, "save", fail)
        code, out, err = go("attacks.invert", *words)
    assert code == 0
    assert "a figure could not be drawn: no font at all; the result is kept\n" in err
    assert "reconstructions.png" not in out
    stamp = (tmp_path / "out" / "result.json").stat().st_mtime_ns
    code, out, _ = go("attacks.invert", *words)
    assert (code, "holds this result already" in out) == (0, True)
    assert "out/reconstructions.png" in out
    assert (tmp_path / "out" / "result.json").stat().st_mtime_ns == stamp


def test_a_damaged_result_is_replaced_only_when_asked(go, tmp_path):
    words = [*QUICK, "--against", "--adaptive", "--out", "out"]
    assert go("attacks.invert", *words)[0] == 0
    (tmp_path / "out" / "arrays.safetensors").write_bytes(b"")
    code, _, err = go("attacks.invert", *words)
    assert (code, "a result that cannot be read" in err) == (2, True), err
    assert go("attacks.invert", *words, "--fresh")[0] == 0


def test_a_report_of_other_folders_is_not_replaced_unasked(go, tmp_path):
    for name in ("a", "b"):
        words = [*QUICK, "--against", "--adaptive", "--out", name]
        assert go("attacks.invert", *words)[0] == 0
    assert go("build", "a", "--out", "r", "--figures")[0] == 0
    assert go("build", "a", "--out", "r")[0] == 0  # the same, made again
    first = contents(tmp_path / "r")
    assert any(name.startswith("figures/") for name in first)
    code, _, err = go("build", "b", "--out", "r")
    assert (code, "holds the report of other folders" in err) == (2, True), err
    assert contents(tmp_path / "r") == first
    (tmp_path / "r" / "figures" / "mine.png").write_text("mine")
    assert go("build", "b", "--out", "r", "--fresh")[0] == 0
    assert set(contents(tmp_path / "r")) == {"index.html", "report.pdf", MARK, "figures/mine.png"}
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<p>mine")
    code, _, err = go("build", "b", "--out", "site")
    assert (code, "holds index.html, which is not known" in err) == (2, True), err


def test_a_sweep_does_not_drop_another_from_the_reports(go, tmp_path, capsys):
    few = ["--data", "digits", "--model", "linear", "--images", "1", "--attack", "analytic"]
    few += ["--adaptive", "--candidates", "1", "--defense", "none", "--executor", "here"]
    assert sweep.main([*few, "--seed", "0", "1", "--out", "s"]) == 0
    assert sweep.main([*few, "--seed", "0", "--out", "s"]) == 0  # cut
    assert sweep.main([*few, "--seed", "0", "1", "2", "--out", "s"]) == 0  # grown
    with pytest.raises(sweep.BadInput, match="lists another sweep, 3 of whose Records"):
        sweep.main([*few, "--seed", "7", "--out", "s"])
    listed = json.loads((tmp_path / "s" / "sweep.json").read_text())["jobs"]
    assert len(listed) == 3
    with (
        claim(tmp_path / "s", sweep.WRITES),
        pytest.raises(sweep.BadInput, match="another run is writing"),
    ):
        sweep.main([*few, "--seed", "0", "--out", "s"])


def test_a_figure_along_other_runs_is_not_replaced_unasked(go, tmp_path):
    assert go("victims.train", *TRAINING, "--out", "t")[0] == 0
    words = ["t", "--moments", "2", "--images", "1", "--attack", "analytic"]
    words += ["--out", "a"]
    code, out, err = go("along", *words)
    assert code == 0, err
    assert "a/along.png" in out
    first = contents(tmp_path / "a")
    code, _, err = go("along", *words, "--names", "other")
    assert (code, "holds the figure of other flags" in err) == (2, True), err
    assert contents(tmp_path / "a") == first
    assert go("along", *words, "--names", "other", "--fresh")[0] == 0
    assert (tmp_path / "a" / "along.png").read_bytes() != first["along.png"]


def test_results_beside_the_data_are_no_class_of_them(go, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for index in range(4):
            image = Image.new("RGB", (8, 8), (60 * index, 90, 20 if label == "cat" else 200))
            image.save(tmp_path / label / f"{index}.png")
    words = ["--data", "folder:.", *QUICK[:2], *QUICK[4:], "--against", "--adaptive"]
    for seed in ("0", "1"):
        code, _, err = go("attacks.invert", *words, "--seed", seed)
        assert code == 0, err
    assert len(list((tmp_path / "runs").iterdir())) == 2
