"""The first moments of `python -m`: answered before torch, and interrupted in one line."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reports.commands.entry import run_command
from reports.commands.startup import begin, begun, end_at_once

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("attacks", "victims", "reports")
    for path in (ROOT / room).rglob("*.py")
    if re.search(r"(?m)^    run_command\(main, PROG\)", path.read_text())
)


def typed(*words: str, path: Path = ROOT, hurry: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Exit code, output and errors of ``python -m``, with a folder before ours on the path."""
    told = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *hurry, "-m", *words],
        env=told,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (["attacks.invert", "--help"], 0, r"usage: python -m attacks.invert "),
        (["attacks.invert", "--rate", "1.5"], 2, r"rate is 1.5; it must be in \[0, 1\)"),
        (["reports.build", "--helpp"], 2, r"^python -m reports.build: .*did you mean --help\?$"),
        (["victims.train", "--defnese", "x"], 2, r"^python -m victims.train: .*mean --defense\?$"),
    ],
)
def test_what_takes_no_computation_is_answered_without_torch(words, code, answer):
    left, out, err = typed(*words, hurry=("-X", "importtime"))
    lines = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert left == code
    assert re.search(answer, out if code == 0 else "\n".join(lines)), lines
    assert len(lines) == (code != 0)
    imported = {line.split("|")[-1].strip() for line in err.splitlines()}
    assert not {"torch._C", "numpy.version"} & imported  # of no stand-in


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_what_reads_its_flags(path):
    """`begin` asks for it by this name."""
    tree = ast.parse((ROOT / path).read_text())
    named = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    named |= {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert "parse" in named


@pytest.mark.parametrize("words", [["attacks.invert"], ["victims.train"], ["leakgauge", "invert"]])
def test_ctrl_c_while_libraries_are_imported_takes_one_line(words, tmp_path):
    (tmp_path / "torch").mkdir()
    raised = (
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(9):\n    pass\n"
    )
    (tmp_path / "torch" / "__init__.py").write_text(raised + "raise AssertionError('went on')\n")
    prog = " ".join(words if words[0] == "leakgauge" else ["python -m", *words])
    assert typed(*words, path=tmp_path) == (130, "", f"\n{prog}: interrupted before it began\n")


def test_ctrl_c_while_a_command_works_takes_one_line(capsys):
    def main(argv):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    end_at_once("python -m work")
    with pytest.raises(SystemExit) as left:
        run_command(main, "python -m work")
    assert left.value.code == 130
    said = capsys.readouterr().err
    assert said == (
        "\npython -m work: interrupted; finished pieces are kept, the same command resumes\n"
    )


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        end_at_once("python -m work")
        begun()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("argv", "original"),
    [
        (["-m", "--nonsense"], ["python", "-m", "pytest", "--nonsense"]),
        (["attacks/invert", "--nonsense"], ["python", "-m", "attacks.invert", "--nonsense"]),
        (["-m"], ["python", "-c", "attacks.invert", "word"]),
        (["-m"], ["-m"]),
    ],
)
def test_a_room_that_is_imported_for_other_reasons_answers_nothing(argv, original, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    before = signal.getsignal(signal.SIGINT)
    begin("attacks")
    assert signal.getsignal(signal.SIGINT) is before
