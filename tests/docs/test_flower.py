"""The page's example of a Flower client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import victims
from reports.records import read
from tests.attacks.invert.before.seen import psnr

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_flower_clients_photograph_comes_out(tmp_path):
    """The page's example; for those who have Flower (pip install "flwr[simulation]")."""
    pytest.importorskip("flwr")
    example = ROOT / "docs" / "examples" / "flower_attack.py"
    command = [sys.executable, str(example), "--out", str(tmp_path), "--image", "1"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)
    guess = read(tmp_path / "attack").arrays["none/adaptive"]
    assert psnr(guess[0], victims.load_data("photos").images[1]) > 20
