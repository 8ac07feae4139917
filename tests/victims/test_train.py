"""The training command: from flags to a Record, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import defenses
from defenses import BadInput
from tests import fresh
from tests.conftest import seeded
from tests.victims.training.small import same, trainer_of
from victims.train import main
from victims.training import checkpoint as store

FLAGS = ["--data", "digits", "--model", "mlp", "--epochs", "4", "--batch-size", "64"]
FLAGS += ["--defense", "dprs", "--noise-multiplier", "1", "--momentum", "0.9", "--average", "0.9"]


def test_prints_accuracy_and_epsilon_and_writes_a_record(tmp_path, capsys):
    assert main([*FLAGS, "--out", str(tmp_path / "r")]) == 0
    shown = capsys.readouterr().out
    assert "accuracy, 95% interval" in shown
    record = json.loads((tmp_path / "r/result.json").read_text())
    assert [row["epoch"] for row in record["rows"]] == [1, 2, 3, 4]
    assert record["rows"][-1]["rate"] == pytest.approx(0.9)
    accuracy = record["summary"]["accuracy"]
    assert accuracy["low"] < accuracy["mean"] < accuracy["high"]
    assert accuracy["mean"] > 2 * record["baseline"]["accuracy"]
    bounds = record["bounds"]
    assert bounds["epsilon"]["prv"] < bounds["epsilon"]["rdp"]
    assert bounds["holds"] is True
    assert record["rows"][-1]["epsilon"] == bounds["epsilon"]["prv"]


def test_the_bare_command_trains_at_epsilon_three(tmp_path, capsys):
    assert main(["--epochs", "1", "--out", str(tmp_path / "r")]) == 0
    record = json.loads((tmp_path / "r/result.json").read_text())
    assert record["scenario"]["epsilon"] == 3
    bare = ["--defense", "topk", "--epochs", "1", "--out", str(tmp_path / "n")]
    assert main(bare) == 0
    assert "epsilon (prv): inf" in capsys.readouterr().out


def test_shuffled_batches_carry_a_warning_and_no_promise(tmp_path, capsys):
    assert main([*FLAGS, "--sampling", "shuffle", "--out", str(tmp_path / "r")]) == 0
    assert "not a guarantee of this run" in capsys.readouterr().out
    assert json.loads((tmp_path / "r/result.json").read_text())["bounds"]["holds"] is False


def test_a_run_killed_at_its_hardest_ends_with_the_same_weights(tmp_path):
    assert main([*FLAGS, "--out", str(tmp_path / "whole")]) == 0
    killed = tmp_path / "killed"
    words = [*FLAGS, "--out", killed, "--save-seconds", "0"]
    process = fresh.start("-m", "victims.train", *words)
    latest = killed / store.LATEST
    process.until(lambda: latest.exists() and store.read(latest).step > 10)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    step = store.read(latest).step
    assert 10 < step < 83
    assert not (killed / "result.json").exists()
    assert main([*FLAGS, "--out", str(killed)]) == 0
    first, second = (load_file(p / "weights.safetensors") for p in (tmp_path / "whole", killed))
    assert same(first, second)


def test_a_gradient_that_is_not_finite_stops_with_the_weights_before_it(tmp_path, capsys):
    flags = ["--data", "digits", "--model", "mlp", "--defense", "none", "--lr", "1e20"]
    assert main([*flags, "--out", str(tmp_path / "r")]) == 1
    said = capsys.readouterr().err
    assert "training stopped at step" in said
    assert "holds NaN or infinite values" in said
    assert "smaller --lr" in said
    kept = store.read(tmp_path / "r" / store.LATEST)
    state = {k: v for k, v in kept.state.items() if k.startswith("model.")}
    assert all(torch.isfinite(v).all() for v in state.values())
    assert not (tmp_path / "r/result.json").exists()


def test_weights_trained_on_the_same_data_bring_their_epsilon(tmp_path, capsys):
    first = tmp_path / "first"
    assert main([*FLAGS, "--out", str(first)]) == 0
    spent = json.loads((first / "result.json").read_text())["bounds"]["epsilon"]["prv"]
    again = [*FLAGS, "--weights", str(first / "weights.safetensors")]
    assert main([*again, "--out", str(tmp_path / "second")]) == 0
    assert "their epsilon is counted" in capsys.readouterr().out
    both = json.loads((tmp_path / "second/result.json").read_text())
    assert both["rows"][0]["epsilon"] > spent
    with pytest.raises(BadInput, match="already spent"):
        main([*again, "--epsilon", str(0.9 * spent), "--out", str(tmp_path / "third")])
    assert not (tmp_path / "third").exists()


def test_the_docs_own_sum_trains_as_shown(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "defenses.md").read_text()
    (tmp_path / "mysum.py").write_text(page.split("# mysum.py")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(defenses.registry, "_classes", dict(defenses.registry._classes))
    flags = ["--defense", "mysum:PerLayer", "--epsilon", "3", "--data", "digits", "--model", "mlp"]
    assert main([*flags, "--epochs", "2", "--out", str(tmp_path / "r")]) == 0
    bounds = json.loads((tmp_path / "r/result.json").read_text())["bounds"]
    assert 2.98 < bounds["epsilon"]["prv"] <= 3
    trainer = trainer_of(defense="mysum:PerLayer", defense_options={"noise_multiplier": 0.0})
    release = trainer.release(trainer.inputs[:1], trainer.labels[:1], seeded(), size=1)
    assert sum(float(v.square().sum()) for v in release.update.values()) <= 1 + 1e-5


def test_the_docs_own_data_and_model_train_as_shown(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    (tmp_path / "mypkg.py").write_text(page.split("# mypkg.py")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    line = next(x for x in page.splitlines() if "--model mypkg:small" in x)
    flags = [*line.split()[3:], "--epochs", "1", "--out", str(tmp_path / "r")]
    assert main(flags) == 0
    assert json.loads((tmp_path / "r/result.json").read_text())["bounds"]["epsilon"]["prv"] <= 8
