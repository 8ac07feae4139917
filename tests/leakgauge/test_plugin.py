"""The pytest plugin in repositories of users."""

from __future__ import annotations

import importlib
import json
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from defenses.conformance import CHECKS

pytest_plugins = ["pytester"]  # the plugin under test comes with the installed package


ROOT = Path(__file__).parents[2]


USERS = """
from dataclasses import dataclass
import defenses
from defenses import option

TINY = {"data": "digits", "model": "linear", "images": 8, "attack": "bayes", "candidates": 8}
TINY["attack_options"] = {"iterations": 10}

@dataclass(frozen=True)
class Mine(defenses.Compression):
    std: float = option(300.0, "of the noise", low=0)

    def compress(self, mean, plan, generator):
        draw = defenses.gradients.add_noise
        return draw(mean, self.std, generator), 4

    def public(self, batch_size):
        return {"batch_size": batch_size, "noise_std": self.std}

def test_plain():
    pass

def test_holds(leakage):
    result = leakage.invert(Mine(), **TINY)
    assert result.adaptive
    leakage.check(result)

def test_fails(leakage):
    assert leakage.invert(Mine(), **TINY).psnr.high < 1
"""


@pytest.fixture
def imported() -> None:
    """What the first vmap imports: pytester would forget it again, and torch takes it only once."""
    importlib.import_module("torch._dynamo")


def test_a_users_repository(imported, pytester):
    path = pytester.makepyfile(test_users=USERS)
    first = pytester.runpytest_inprocess("--strict-markers", "-m", "leakage", "--leakage-update")
    first.assert_outcomes(passed=1, failed=1, deselected=1)
    first.stdout.fnmatch_lines(
        [
            "E       assert adaptive PSNR.high * < 1",
            "E         adaptive PSNR * dB [[]*, *[]], n = 8",
            "E         guessing gives * dB [[]*",
            "E         figure: .pytest_cache/d/leakage/test_users.test_fails/*.png",
            "E         Mine: no privacy guarantee (epsilon = inf).",
            "E         naive attack: PSNR * dB *",
            "=* leakage *=",
            "test_users.py::test_holds",
            "  inversion of Mine(std=300.0), linear on digits: adaptive PSNR *; guessing *",
            "  baseline stored: leakage_baselines/test_users.test_holds.json",
        ]
    )
    drawn = pytester.path / ".pytest_cache/d/leakage/test_users.test_fails/1-inversion"
    assert (drawn / "reconstructions.png").stat().st_size > 1000
    command = json.loads((drawn / "result.json").read_text())["environment"]["command"]
    assert command == "python -m pytest test_users.py::test_fails"

    again = ["--leakage-out", "kept", "--junitxml", "junit.xml", "-k", "holds"]
    pytester.runpytest_inprocess(*again).assert_outcomes(passed=1, deselected=2)
    assert (pytester.path / "kept/test_users.test_holds/1-inversion/reconstructions.png").exists()
    assert 'name="leakage" value="inversion of Mine' in (pytester.path / "junit.xml").read_text()

    path.write_text(USERS.replace("draw(mean, self.std,", "draw(mean, 0.0001 * self.std,"))
    weaker = pytester.runpytest_inprocess("-k", "holds", "-p", "no:cacheprovider")
    weaker.assert_outcomes(failed=1, deselected=2)
    weaker.stdout.fnmatch_lines(
        ["E *cannot be judged: the naive attacker finds more: *", "*naive PSNR *"]
    )


def test_the_plugin_costs_a_run_without_leakage_tests_next_to_nothing():
    told = "import sys, leakgauge.plugin; from leakgauge.rooms import ROOMS; "
    told += "print({'torch', 'numpy', *ROOMS} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.slow
def test_the_worked_example_in_an_environment_of_its_own(tmp_path):
    """Both packages installed, by name and by flags; then a weaker version of the defense."""
    source, example = tmp_path / "leakgauge", tmp_path / "example"
    source.mkdir()
    for name in ("attacks", "defenses", "leakgauge", "reports", "victims"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "tests/example_defense", example, ignore=shutil.ignore_patterns("*cache*")
    )
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin/python"
    home = next((venv / "lib").iterdir()) / "site-packages"
    # What is installed here (torch, pytest) is found there too, after what is installed there.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (home / "around.pth").write_text("".join(lines))

    def run(*words, code=0):
        spent = subprocess.run(
            [*map(str, words)], cwd=example, capture_output=True, text=True, timeout=500
        )
        assert spent.returncode == code, spent.stdout + spent.stderr
        return spent.stdout

    for folder in (source, example):
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        run(sys.executable, "-m", "pip", "--python", python, "install", *options, folder)
    (example / "softclip.py").unlink()  # so that the installed one runs
    where = run(
        python, "-c", "import attacks, softclip; print(attacks.__file__, softclip.__file__)"
    )
    assert where.count(str(venv)) == 2

    for name in ("soft-clip", "softclip:SoftClip"):
        shown = run(python, "-m", "attacks.invert", "--defense", name, "--help")
        assert (
            "--noise-multiplier FLOAT" in shown and "noise std over C >= 0 (default 2.0)" in shown
        )

    out = run(python, "-m", "pytest", "-q")
    assert "3 passed" in out and f"{len(CHECKS)} of {len(CHECKS)} checks hold: SoftClip" in out

    installed = home / "softclip.py"
    text = installed.read_text()
    installed.write_text(text.replace("std = self.noise", "std = 0.1 * self.noise"))
    assert installed.read_text() != text
    out = run(python, "-m", "pytest", "-q", code=1)
    assert "3 failed" in out
    for words in (
        "does not conform",
        "leaks more than the baseline",
        "GREW  outranked",
        "claimed; figure: ",
    ):
        assert words in out
