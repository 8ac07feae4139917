"""The command `leakgauge`: what it answers at once, and that it answers what the commands do."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

import attacks.invert
import defenses
import victims.transfer
from leakgauge import doctor
from leakgauge.commands import COMMANDS
from leakgauge.glance import load
from leakgauge.inert import Refused, inert_libraries
from reports.sweep.combine import COMMANDS as SWEPT
from tests import fresh

ROOT = Path(__file__).parents[2]
ASKED = [
    *([name] for name in COMMANDS),
    *(["invert", "--defense", name] for name in defenses.names()),
    *(["train", "--defense", name] for name in defenses.names()),
    *(["invert", "--attack", name] for name in attacks.invert.names()),
    *(["transfer", "--method", name] for name in victims.transfer.names()),
]


def typed(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What ``python -X importtime -m leakgauge`` answers."""
    paths = {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, "-X", "importtime", "-m", "leakgauge", *words]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **paths}, capture_output=True, text=True, timeout=120
    )
    return done


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Its stderr without the lines of ``-X importtime``."""
    return "".join(
        line for line in done.stderr.splitlines(True) if not line.startswith("import time:")
    )


def helped(words: list[str]) -> str:
    """The help of a command in this process."""
    command, out = COMMANDS[words[0]], StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit):
        load(command.flags)([*command.first, *words[1:], "--help"])
    return out.getvalue()


ONE_BY_ONE = """
import json, sys
from contextlib import redirect_stdout
from io import StringIO
from leakgauge.commands import COMMANDS
from leakgauge.glance import load
from leakgauge.inert import inert_libraries
from leakgauge.rooms import ROOMS
found = []
with inert_libraries(("leakgauge", *ROOMS)):
    for name, *words in json.loads(sys.stdin.read()):
        out = StringIO()
        try:
            with redirect_stdout(out):
                load(COMMANDS[name].flags)([*COMMANDS[name].first, *words, "--help"])
        except SystemExit:
            found.append(out.getvalue())
assert "torch" not in sys.modules and "defenses" not in sys.modules
print(json.dumps(found))
"""


def test_help_is_the_same_without_the_libraries(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE],
        input=json.dumps(ASKED),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(ASKED)
    for words, text in zip(ASKED, found, strict=True):
        assert text == helped(words), words


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        ([], 0, r"usage: leakgauge COMMAND[\s\S]*\n  invert +rebuild"),
        (["--version"], 0, r"leakgauge \d+\.\d+"),
        (["invret"], 2, r"leakgauge: no command 'invret'; did you mean invert\?"),
        (["xyz"], 2, r"no command 'xyz'; there are: invert, "),
        (["invert", "--help"], 0, r"usage: leakgauge invert [\s\S]*\nexamples:\n  leakgauge inv"),
        (["help", "invert"], 0, r"usage: leakgauge invert [\s\S]*\nexamples:\n  leakgauge inv"),
        (["--help", "invret"], 2, r"leakgauge: no command 'invret'; did you mean invert\?"),
        (["invert-heads", "--help"], 0, r"usage: leakgauge invert-heads "),
        (["federated", "--ruel", "fedavg"], 2, r"leakgauge federated: .*did you mean --rule\?"),
        (["invert", "--raet", "0.9"], 2, r"leakgauge invert: .*did you mean --rate\?"),
        (["invert", "--defense", "dprss"], 2, r"leakgauge invert: .*; did you mean dprs\? known"),
        (["invert", "--attack", "geipin"], 2, r"unknown attack 'geipin'; did you mean geiping\?"),
        (["invert", "--rate", "1.5"], 2, r"leakgauge invert: rate is 1.5; it must be in \[0, 1\)"),
        (["train", "--device", "gpu"], 2, r"invalid choice: 'gpu' \(did you mean cpu\?"),
        (["sweep"], 2, r"usage: leakgauge sweep \[COMMAND \| STUDY.toml\]"),
        (["invert", "--defense", "dpsgd", "--rate", "0.9"], 2, r"dpsgd has no --rate; dprs, "),
        (["transfer", "--method", "dp-fcc"], 2, r"did you mean dp-fc\?"),
    ],
)
def test_what_takes_no_computation_is_answered_without_torch(words, code, answer):
    done = typed(*words)
    said = done.stdout if code == 0 else told(done)
    assert done.returncode == code
    assert re.search(answer, said), said
    assert code == 0 or said.count("\n") == 1
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not {"torch._C", "numpy.version", "scipy._lib"} & imported  # of no stand-in


def test_a_comparison_of_one_folder_is_refused():
    """The command itself reads the folders' names, with all libraries."""
    said = fresh.run("-m", "leakgauge", "compare", "one", code=2).err
    assert (
        "compare: a comparison takes two folders, not 1" in said
        and "--compare" not in said
        and said.count("\n") == 1
    )


def test_ones_own_code_is_not_imported_for_its_flags(tmp_path):
    (tmp_path / "mine.py").write_text("print('imported')\nraise ImportError('not twice')\n")
    words = ("-m", "leakgauge", "invert", "--defense", "mine:Own", "--help")
    done = fresh.run(*words, cwd=tmp_path, code=2)
    assert done.out == "imported\n"
    assert "leakgauge invert: defense 'mine:Own' cannot be imported: not twice" in done.err


def test_what_is_imported_among_stand_ins_is_forgotten(tmp_path, monkeypatch):
    (tmp_path / "standing.py").write_text("import markupsafe.nowhere\n")
    (tmp_path / "somebodys.py").write_text("")  # exists, and is refused all the same
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with inert_libraries(("standing",)), pytest.raises(Refused, match="somebodys"):
        import standing  # noqa: F401

        assert {"standing", "markupsafe.nowhere"} <= set(sys.modules) - before
        import somebodys  # noqa: F401
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_are_understood(name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [f"leakgauge {name}"])
    command, typed = COMMANDS[name], re.compile(rf"(?m)^  leakgauge {name} (.*?)   #")
    examples = [line for line in typed.findall(helped([name])) if "mypkg" not in line]
    assert bool(examples) == (name != "doctor")
    for line in examples:
        arguments = load(command.flags)([*command.first, *shlex.split(line)])
        if name in ("build", "compare"):
            assert arguments.compare == ("--compare" in line or name == "compare")
            assert len(arguments.folders) == 1 + arguments.compare


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_says_what_it_is(name, monkeypatch):
    bare: list[str] = []

    def look(parser: argparse.ArgumentParser, file: object = None) -> None:
        bare.extend(a.dest for a in parser._actions if not a.help)

    monkeypatch.setattr(argparse.ArgumentParser, "print_help", look)
    helped([name])
    assert not bare


def test_the_doctor_tells_of_a_folder_that_ours_hides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "attacks").mkdir()
    assert "attacks here has no __init__.py" in doctor._names()


def test_every_command_that_a_sweep_crosses_has_a_name():
    flags = {command.flags for command in COMMANDS.values()}
    missing = [m for m in SWEPT if not {f"{m}:parse", f"{m}.command:parse"} & flags]
    assert not missing


def test_the_doctor_says_what_is_there():
    said = fresh.run("-m", "leakgauge", "doctor").out
    assert re.search(r"(?m)^leakgauge +\d.* in ", said)
    assert re.search(r"(?m)^device +", said)
    assert re.search(r"(?m)^names +import attacks, \w+, \w+, \w+ gives ours$", said)
    assert len(said.splitlines()) < 24
