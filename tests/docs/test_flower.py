"""The page's examples of Flower clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import victims
from reports.records import read
from tests.attacks.invert.seen import psnr

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


def quickstart(out, *flags):
    """What the example prints."""
    example = ROOT / "docs" / "examples" / "flower_quickstart.py"
    command = [sys.executable, str(example), "--out", str(out), *flags]
    done = subprocess.run(
        command, check=True, cwd=ROOT, timeout=1200, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_flowers_quickstart_tells_its_labels(tmp_path):
    """The page's command: two local steps with momentum, on images of two classes."""
    pytest.importorskip("flwr")
    said = quickstart(tmp_path, "--images", "64", "--classes", "2")
    (line,) = (text for text in said.splitlines() if "wrong" in text)
    found, blind = (float(part.split()[-1]) for part in line.split(";"))
    assert found < 0.1 < 0.7 < blind


@pytest.mark.slow
def test_flowers_quickstart_is_attacked_as_it_stands(tmp_path):
    """Of 4,000 images and 125 steps: the labels are nearly equal, and members like the others."""
    pytest.importorskip("flwr")
    said = quickstart(tmp_path)
    (line,) = (text for text in said.splitlines() if "wrong" in text)
    assert float(line.split()[-1]) < 0.05
    (line,) = (text for text in said.splitlines() if "AUC" in text)
    area, low, high = (float(part.strip(" [],")) for part in line.split("AUC")[1].split())
    assert 0.45 < low < area < high < 0.6
    assert list(tmp_path.glob("4000-images-of-10-classes-0/round-1-client-*.safetensors"))
