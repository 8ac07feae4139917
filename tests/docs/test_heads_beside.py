"""The example that puts other people's heads beside ours runs; diffprivlib where it is installed.

``LEAKGAUGE_DIFFPRIVLIB`` names the Python of an environment with diffprivlib==0.6.6 and
scikit-learn<1.6, which this project's own cannot be.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs/examples/heads_beside.py"


def run(python, *words):
    done = subprocess.run([python, EXAMPLE, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    path = folder / "digits.npz"
    words = ["features", path, "--data", "digits", "--backbone", "raw"]
    run_in = os.environ | {"LEAKGAUGE_FEATURES": str(folder)}
    subprocess.run([sys.executable, EXAMPLE, *words], check=True, env=run_in, timeout=300)
    return path


def accuracy(told):
    return float(told.strip().rpartition(" ")[2])


@pytest.mark.slow
def test_a_linear_layer_by_opacus(features):
    assert accuracy(run(sys.executable, "opacus", features, "--epsilon", "8", "--seeds", "1")) > 50


@pytest.mark.slow
@pytest.mark.skipif("LEAKGAUGE_DIFFPRIVLIB" not in os.environ, reason="needs its environment")
def test_logistic_regression_by_diffprivlib(features):
    python = os.environ["LEAKGAUGE_DIFFPRIVLIB"]
    assert accuracy(run(python, "diffprivlib", features, "--epsilon", "1000", "--seeds", "1")) > 50
