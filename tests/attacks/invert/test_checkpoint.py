"""A training run's steps under attack."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from defenses import BadInput
from tests.victims.training.small import small
from victims.train import main
from victims.training import prepare


def test_a_checkpoint_can_be_attacked_at_any_step(tmp_path, capsys):
    from attacks.invert.__main__ import main as invert
    from attacks.invert.along import main as along

    run = tmp_path / "run"
    flags = ["--data", "digits", "--count", "100", "--model", "linear", "--batch-size", "25"]
    flags += ["--defense", "dprs", "--rate", "0.8", "--noise-multiplier", "0", "--epochs", "3"]
    assert main([*flags, "--out", str(run)]) == 0
    short = ["--images", "2", "--evaluations", "60", "--attack", "dlg"]
    attack = ["--checkpoint", str(run), *short]
    assert invert([*attack, "--step", "6", "--out", str(tmp_path / "o")]) == 0
    record = json.loads((tmp_path / "o/result.json").read_text())
    assert record["scenario"]["split"] == "train"
    assert record["scenario"]["step"] == 6
    assert "none/adaptive" in record["summary"]  # the positive control
    assert record["bounds"]["dprs"]["options"]["rate"] == pytest.approx(0.4)
    members = prepare.prepare(small(count=100)).train.images[:2]
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
