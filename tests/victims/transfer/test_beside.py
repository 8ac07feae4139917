"""Other libraries' heads stand on the same features; what cannot be is refused in one line."""

from __future__ import annotations

import math
import os
import sys

import pytest
import torch

from defenses import BadInput
from victims.transfer import prepare
from victims.transfer.beside.__main__ import accuracy, main
from victims.transfer.beside.diffprivlib_head import diffprivlib_labels
from victims.transfer.beside.opacus_head import Settings, opacus_labels
from victims.transfer.beside.sklearn_head import SKLEARN, sklearn_labels
from victims.transfer.features import store
from victims.transfer.scenario import Transfer

PYTHON = os.environ.get("LEAKGAUGE_DIFFPRIVLIB", "")
FEW = Settings(batch_size=100, epochs=4)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))
    monkeypatch.delenv("LEAKGAUGE_DIFFPRIVLIB", raising=False)


@pytest.fixture
def prepared():
    transfer = Transfer(backbone="raw", count=400, noise_multiplier=0.0)
    return prepare.prepare(transfer, folder=store())


def test_a_layer_by_opacus_learns_without_noise_and_not_under_much(prepared):
    plain, noisy = (
        accuracy(prepared, opacus_labels(prepared, epsilon, 0, FEW)).mean
        for epsilon in (math.inf, 0.02)
    )
    assert plain > 0.7
    assert noisy < plain - 0.2


def test_a_seed_says_the_layer_and_leaves_torchs_generator_alone(prepared):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (opacus_labels(prepared, 1.0, seed, FEW) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", SKLEARN)
def test_regressions_without_privacy_are_what_features_can_tell(prepared, name):
    assert accuracy(prepared, sklearn_labels(prepared, math.inf, 0, name=name)).mean > 0.8


def test_a_row_of_each_head_is_printed_beside_guessing(capsys):
    words = ["--backbone", "raw", "--count", "400", "--libraries", "opacus", "scikit-learn"]
    assert main([*words, "--epsilon", "8", "--seeds", "2", "--epochs", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "| head | epsilon 8 | without noise | guess |"
    assert len(rows) == 2 + 1 + len(SKLEARN)
    assert rows[2].startswith("| Opacus, a linear layer | ")
    assert all(row.endswith("| 10.2 |") for row in rows[2:])
    assert all(" | - | " in row for row in rows[3:])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "diffprivlib needs a Python of its own"),
        (["--libraries", "opacus", "--epsilon", "0"], "epsilon is 0"),
        (["--libraries", "opacus", "--epsilon", "inf"], "epsilon is inf"),
        (["--libraries", "opacus", "--seeds", "0"], "--seeds is 0"),
        (["--libraries", "opacus", "--batch-size", "0"], "--batch-size is 0"),
    ],
)
def test_what_cannot_be_is_refused_before_features_are_computed(words, told, tmp_path):
    with pytest.raises(BadInput, match=told) as raised:
        main(["--backbone", "raw", *words])
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "features").exists()


@pytest.mark.parametrize(
    ("python", "told"), [("/no/python", "cannot be run"), (sys.executable, "did not fit")]
)
def test_a_python_without_diffprivlib_is_told_in_one_line(prepared, python, told):
    with pytest.raises(BadInput, match=told) as raised:
        diffprivlib_labels(prepared, 1.0, 0, python=python)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not PYTHON, reason="$LEAKGAUGE_DIFFPRIVLIB names no Python with diffprivlib")
@pytest.mark.parametrize("directions", [None, 32])
def test_diffprivlib_learns_without_noise_and_not_under_much(prepared, directions):
    asked = {"python": PYTHON, "directions": directions}
    found = [
        accuracy(prepared, diffprivlib_labels(prepared, epsilon, 0, **asked)).mean
        for epsilon in (math.inf, 1.0)
    ]
    assert found[0] > 0.7
    assert found[1] < found[0] - 0.2
