"""Recorded releases."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from tests.victims.training.small import same, small
from victims.train import main
from victims.training import prepare, releases
from victims.training.state import state


def test_recording_changes_nothing_and_its_files_can_be_attacked(tmp_path, capsys):
    from attacks.invert.__main__ import main as invert

    flags = ["--data", "digits", "--count", "120", "--model", "linear", "--batch-size", "30"]
    flags += ["--defense", "none", "--epochs", "3"]
    assert main([*flags, "--out", str(tmp_path / "a")]) == 0
    record = ["--record-every", "5", "--record-images", "2"]
    assert main([*flags, *record, "--out", str(tmp_path / "b")]) == 0
    pair = [load_file(tmp_path / x / "weights.safetensors") for x in "ab"]
    assert same(*pair)
    folder = tmp_path / "b/releases/step-000005"
    assert sorted(p.name for p in (tmp_path / "b/releases").iterdir()) == [
        "step-000000",
        "step-000005",
        "step-000010",
        "truth.safetensors",
    ]
    words = ["--observation", str(folder / "example-1.safetensors"), "--model", "linear"]
    words += ["--state", str(folder / "weights.safetensors"), "--data", "digits"]
    words += ["--defense", "none", "--noises", "2"]
    assert invert([*words, "--out", str(tmp_path / "o")]) == 0
    guess = load_file(tmp_path / "o/arrays.safetensors")
    truth = load_file(tmp_path / "b/releases/truth.safetensors")["images"][1]
    image = next(v for k, v in guess.items() if "none" in k)[0]
    assert torch.allclose(image, truth, atol=1e-3)
    capsys.readouterr()


def test_recording_leaves_batchnorm_alone(tmp_path):
    prepared = prepare.prepare(
        small(data="photos", count=8, model="convnet", batch_size=4, defense="none")
    )
    before = state(prepared.trainer)
    releases.Recorder(prepared, tmp_path, every=1, images=1)(prepared.trainer)
    assert same(before, state(prepared.trainer))
    assert prepared.trainer.net.training
