"""Ours where ours is asked for, theirs where theirs is: the same names in one process."""

from __future__ import annotations

import ast
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

import attacks
import defenses
import leakgauge
import reports
from leakgauge import rooms
from leakgauge.rooms import ROOMS, apart, rename
from tests import fresh

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import attacks", "import leakgauge.attacks as attacks"),
        (
            "import attacks.invert, os",
            "import leakgauge.attacks.invert as attacks\n"
            "import leakgauge.attacks as attacks\nimport os",
        ),
        ("import attacks.invert as i", "import leakgauge.attacks.invert as i"),
        ("from reports.records import write", "from leakgauge.reports.records import write"),
        ("from attacksome import defenses", "from attacksome import defenses"),
        ("from . import attacks", "from . import attacks"),
    ],
)
def test_imports_of_rooms_are_renamed(before, after):
    assert ast.unparse(rename(ast.parse(before), ROOMS)) == after
    assert ast.unparse(rename(ast.parse(before), ())) == before.replace(", os", "\nimport os")


def test_a_room_whose_name_is_free_is_one_module():
    import leakgauge.attacks.invert.methods.geiping as named

    assert not apart()
    assert leakgauge.attacks is attacks
    assert named is sys.modules["attacks.invert.methods.geiping"]
    assert named.__spec__.name == "attacks.invert.methods.geiping"
    assert set(ROOMS) <= set(leakgauge.__all__)
    assert leakgauge.load is reports.load


def test_a_second_name_hides_nothing():
    before = defenses.registry
    with pytest.raises(ImportError, match=r"import defenses\.registry"):
        import leakgauge.defenses.registry  # noqa: F401
    assert defenses.registry is before


def test_nobody_looks_for_a_room_before_we_do(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [object(), *sys.meta_path])
    rooms.install()
    assert isinstance(sys.meta_path[0], rooms.Rooms)
    assert sum(isinstance(finder, rooms.Rooms) for finder in sys.meta_path) == 1


def project(folder: Path, room: str) -> None:
    """A project with a package of its own that is called as a room of ours."""
    (folder / room).mkdir()
    (folder / room / "__init__.py").write_text("OWN = 'theirs'\n")
    (folder / room / "inner.py").write_text(f"from {room} import OWN\n")


USED = """
import {room}.inner
import leakgauge
from leakgauge.defenses.randomness import stream
from leakgauge.attacks.invert.scenario import Scenario
assert {room}.inner.OWN == "theirs"
quick = dict(data="digits", model="linear", images=1, defense="none", against=())
record = leakgauge.attacks.run(Scenario(**quick, attack="analytic"))
assert record.summary["none/adaptive"]["psnr"]["mean"] == 60
assert {room}.OWN == "theirs" and not hasattr(leakgauge.{room}, "OWN")
print(*sorted(leakgauge.rooms.apart()))
"""


@pytest.mark.parametrize(("room", "apart"), [("attacks", 1), ("defenses", 4)])
def test_both_live_in_one_process(tmp_path, room, apart):
    project(tmp_path, room)
    done = fresh.run("-c", USED.format(room=room), cwd=tmp_path, paths=(tmp_path, ROOT))
    assert len(done.out.split()) == apart


TWO_COPIES = """
import sys
import leakgauge.doctor
sys.path.insert(0, {here!r})
import defenses
from leakgauge.defenses import Defense
assert leakgauge.rooms.HOME != leakgauge.rooms.place_of("defenses").parent
assert Defense is defenses.Defense
print(leakgauge.doctor._names())
"""


def test_a_checkout_beside_what_is_installed_is_ours_too(tmp_path):
    """As where pytest puts the root of a checkout before the packages that its plugin came from."""
    for name in ("leakgauge", "defenses"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = TWO_COPIES.format(here=str(ROOT))
    done = fresh.run("-c", code, cwd=tmp_path, paths=(tmp_path,))
    assert done.out.endswith(f" gives ours, of the copy in {ROOT}\n")


THEIR_TEST = """
import sys

import attacks.inner
import leakgauge
from mine import Quiet


def test_theirs():
    assert attacks.inner.OWN == "theirs"
    assert "torch" in sys.modules  # of mine.py


def test_it_is_what_it_says(leakage):
    leakage.conforms(Quiet())


def test_ours(leakage):
    found = leakage.invert(Quiet(), images=8)
    assert found.adaptive
    assert found.gain.high < 0
    assert attacks.inner.OWN == "theirs"
    assert leakgauge.attacks.Scenario is not None
"""
THEIR_DEFENSE = """
from dataclasses import dataclass

import torch

from defenses import Compression


@dataclass(frozen=True)
class Quiet(Compression):
    "Nothing is said."

    def compress(self, mean, plan, generator):
        return {k: torch.zeros_like(v) for k, v in mean.items()}, 1

    def noise(self, release):
        return 1.0
"""


CONFORMS = """

def test_it_is_what_it_says(leakage):
    leakage.conforms(Quiet())
"""


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request, tmp_path_factory) -> Path:
    """The python of an environment in which this project is installed, from a copy of it."""
    home = tmp_path_factory.mktemp("home")
    source, venv = home / "source", home / "venv"
    source.mkdir()
    for name in ("leakgauge", *ROOMS):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin/python"
    packages = next((venv / "lib").iterdir()) / "site-packages"
    # What is installed here (torch, pytest) is found there too, after what is installed there.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (packages / "around.pth").write_text("".join(lines))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    if request.param == "editable":
        options.append("--editable")
    command = [sys.executable, "-m", "pip", "--python", python, "install", *options, source]
    subprocess.run([*map(str, command)], check=True, timeout=300)
    script = python.parent / "pytest"  # pytest itself is installed elsewhere, and its script too
    script.write_text(
        f"#!{python}\nfrom pytest import console_main\nraise SystemExit(console_main())\n"
    )
    script.chmod(0o755)
    return python


def run(python: Path, cwd: Path, *words: str) -> str:
    """What a command says in a folder; it must leave with 0."""
    clean = {k: v for k, v in ENVIRONMENT.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=clean, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_project_with_attacks_of_its_own_tests_beside_ours(installed, tmp_path):
    project(tmp_path, "attacks")
    (tmp_path / "test_theirs.py").write_text(THEIR_TEST)
    (tmp_path / "mine.py").write_text(THEIR_DEFENSE)
    options = ("-q", "-p", "no:cacheprovider")
    assert "3 passed" in run(installed, tmp_path, installed, "-m", "pytest", *options)
    assert "3 passed" in run(installed, tmp_path, installed.parent / "pytest", *options)


@pytest.mark.slow
def test_the_script_is_not_shadowed_by_the_folder(installed, tmp_path):
    project(tmp_path, "attacks")
    project(tmp_path, "reports")
    (tmp_path / "mine.py").write_text(THEIR_DEFENSE + "\nimport attacks\nassert attacks.OWN\n")
    script = str(installed.parent / "leakgauge")
    quick = ["--data", "digits", "--model", "linear", "--attack", "analytic", "--images", "1"]
    flags = ["invert", "--defense", "none", "--against", "--out", "run", *quick]
    assert "60.0" in run(installed, tmp_path, script, *flags)
    assert "usage: leakgauge invert" in run(installed, tmp_path, script, "invert", "--help")
    assert "--rate" in run(installed, tmp_path, installed, "-m", "leakgauge", "invert", "--help")


@pytest.mark.slow
def test_a_test_inside_a_checkout_has_one_class_of_defenses(installed, tmp_path):
    for name in ("leakgauge", *ROOMS):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/__init__.py").write_text("")  # so that pytest imports from above it
    (tmp_path / "tests/test_own.py").write_text(THEIR_DEFENSE + CONFORMS)
    script = installed.parent / "pytest"
    assert "1 passed" in run(installed, tmp_path, script, "-q", "-p", "no:cacheprovider")
