"""A training run's steps under attack."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from attacks.invert.__main__ import main as invert
from attacks.invert.along import main as along
from defenses import BadInput
from reports.records import read
from tests.victims.training.small import small
from victims.train import main
from victims.training import prepare


def test_a_checkpoint_can_be_attacked_at_any_step(tmp_path, capsys):
    run = tmp_path / "run"
    flags = ["--data", "digits", "--count", "100", "--model", "linear", "--batch-size", "25"]
    flags += ["--defense", "dprs", "--rate", "0.8", "--noise-multiplier", "0", "--epochs", "3"]
    assert main([*flags, "--out", str(run)]) == 0
    short = ["--images", "1", "--attack", "analytic"]
    attack = ["--checkpoint", str(run), *short, "--against", "none"]
    assert invert([*attack, "--step", "6", "--out", str(tmp_path / "o")]) == 0
    record = json.loads((tmp_path / "o/result.json").read_text())
    assert record["scenario"]["split"] == "train"
    assert record["scenario"]["step"] == 6
    assert "none/adaptive" in record["summary"]  # the positive control
    assert record["bounds"]["dprs"]["options"]["rate"] == pytest.approx(0.4)
    members = prepare.prepare(small(count=100)).train.images[:1]
    assert torch.equal(load_file(tmp_path / "o/arrays.safetensors")["truth"], members)
    with pytest.raises(BadInput, match="--model comes from the run"):
        invert([*attack, "--model", "mlp"])
    with pytest.raises(BadInput, match="has steps 0 to 12"):
        invert([*attack, "--step", "13"])
    with pytest.raises(BadInput, match="holds no training run"):
        invert(["--checkpoint", str(tmp_path / "nothing")])
    assert along([str(run), "--moments", "2", *short, "--out", str(tmp_path / "along")]) == 0
    assert "| dprs | 12 | 0.80 | adaptive |" in capsys.readouterr().out
    assert (tmp_path / "along/along.png").stat().st_size > 10_000


def test_a_run_under_precode_is_attacked_with_its_own_weights(tmp_path):
    words = "--defense precode --data digits --model lenet --count 60 --batch-size 20 --epochs 1"
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 0
    found = invert(
        [
            *["--checkpoint", str(tmp_path / "run"), "--step", "2", "--images", "1"],
            *["--attack", "bayes", "--evaluations", "30", "--against", "--adaptive"],
            *["--candidates", "8", "--out", str(tmp_path / "attack")],
        ]
    )
    assert found == 0
    record = read(tmp_path / "attack")
    assert [row["defense"] for row in record.rows] == ["precode"]
    assert record.rows[0]["rank"] == 1
