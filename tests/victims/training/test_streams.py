"""Noise that no other run has."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from defenses.gradients import add_noise
from defenses.secrecy import SecretGenerator, normal
from tests.victims.training.linear import LINEAR, alike, folders, noise, prepared, stored
from victims.data import Data, load_data
from victims.train import main
from victims.training import checkpoint as store
from victims.training import prepare
from victims.training.examples import load_examples
from victims.training.ledger import parts_of


class TestNoise:
    """650 coordinates: correlations of independent noise have a std of 0.04."""

    def test_the_same_run_has_the_same_noise_and_no_two_steps_do(self):
        first, again = prepared().trainer, prepared().trainer
        assert torch.equal(noise(first), noise(again))
        assert torch.equal(first.sample(), again.sample())
        assert abs(alike(noise(first, 0), noise(first, 1))) < 0.2

    def test_training_on_does_not_repeat_it(self, tmp_path):
        first = prepared().trainer
        on = prepared(weights=str(stored(tmp_path))).trainer
        assert on.plan.history
        for step in (0, 3):
            assert abs(alike(noise(first, step), noise(on, step))) < 0.2
        assert not torch.equal(first.sample(), on.sample())

    def test_without_one_person_it_is_other_noise(self):
        everybody = load_data("digits", split="train", count=120)
        but_one = everybody.take(torch.arange(119))
        instead = dataclasses.replace(everybody, images=everybody.images.clone())
        instead.images[119] = 0
        first = noise(prepared(everybody).trainer)
        for other in (but_one, instead):
            assert abs(alike(first, noise(prepared(other).trainer))) < 0.2
        relabelled = dataclasses.replace(everybody, labels=(everybody.labels + 1) % 10)
        assert abs(alike(first, noise(prepared(relabelled).trainer))) < 0.2

    @pytest.mark.parametrize("changed", [{"seed": 1}, {"lr": 0.1}, {"epochs": 2}])
    def test_other_settings_are_another_run(self, changed):
        assert abs(alike(noise(prepared().trainer), noise(prepared(**changed).trainer))) < 0.2

    def test_two_ways_to_write_a_model_train_alike_unless_a_guarantee_forbids_it(self):
        """The same weights, code and data; only the model's name differs."""
        names = [{"model": f"tests.odd_models:{name}"} for name in ("Plain", "InPlace")]
        bare = {"defense": "none", "defense_options": {}}
        free = [prepared(**bare, **name).trainer for name in names]
        assert torch.equal(free[0].sample(), free[1].sample())
        bound = [prepared(**name).trainer for name in names]
        assert abs(alike(noise(bound[0]), noise(bound[1]))) < 0.2
        assert not torch.equal(bound[0].sample(), bound[1].sample())

    def test_a_trainer_built_by_hand_is_keyed_by_its_tensors(self):
        made = prepared().trainer
        bare = dataclasses.replace(made.plan, content="")
        kind = type(made)
        whole = [kind(bare, made.model, made.inputs, made.labels).draw for _ in range(2)]
        fewer = kind(bare, made.model, made.inputs[1:], made.labels[1:]).draw
        with torch.no_grad():
            next(iter(made.parameters.values())).add_(1)
        moved = kind(bare, made.model, made.inputs, made.labels).draw
        assert whole[0] == whole[1]
        assert len({whole[0].key, fewer.key, moved.key}) == 3

    def test_a_name_for_the_data_does_not_matter_and_what_it_names_does(self, tmp_path):
        keys = [prepared(data=spec).trainer.draw.key for spec in folders(tmp_path)]
        assert keys[0] == keys[1] != keys[2]

    def test_edited_code_of_the_user_is_another_run(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        found = []
        for line in ("nn.Linear(64, 10)", "nn.Linear(64, 10), nn.Tanh()"):
            text = f"def make(shape, classes):\n    return nn.Sequential(nn.Flatten(), {line})\n"
            (tmp_path / "edited.py").write_text(f"from torch import nn\n{text}")
            found.append(noise(prepared(model="edited:make").trainer))
        assert abs(alike(*found)) < 0.2

    def test_a_class_that_only_the_test_split_has_makes_it_another_run(self):
        test = load_data("digits", split="test")
        more = Data(test.images, test.labels, 11, (*test.names, "10"))
        both = [dataclasses.replace(load_examples(LINEAR), test=own) for own in (test, more)]
        runs_of = [prepare.prepare(LINEAR, examples=examples) for examples in both]
        found = [noise(run.trainer)[:640] for run in runs_of]
        assert abs(alike(*found)) < 0.2


FLAGS = "--data digits --count 120 --model linear --batch-size 20 --epochs 1 --defense dpsgd"
FLAGS = [*FLAGS.split(), "--noise-multiplier", "1"]


class TestSecure:
    def test_its_record_holds_no_digest_of_the_images(self, tmp_path):
        draw = np.random.default_rng(0)
        for place in ("train/a", "train/b", "test/a", "test/b"):
            (tmp_path / "d" / place).mkdir(parents=True)
            for index in range(4):
                pixels = draw.integers(0, 255, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "d" / place / f"{index}.png")
        flags = ["--data", f"folder:{tmp_path / 'd'}", "--model", "linear", "--batch-size", "4"]
        flags += ["--epochs", "1", "--defense", "dpsgd", "--noise-multiplier", "1"]
        told = []
        for more in (["--secure"], ["--secure"], []):  # the second time it is found again
            out = tmp_path / f"o{len(more)}"
            assert main([*flags, *more, "--out", str(out)]) == 0
            told.append(json.loads((out / "result.json").read_text())["environment"]["origins"])
        assert told[0] == told[1] == {}
        assert list(told[2]) == ["data"]

    def test_nothing_that_is_kept_tells_noise_or_people(self, tmp_path):
        ended = []
        for name in "ab":
            assert main([*FLAGS, "--secure", "--out", str(tmp_path / name)]) == 0
            ended.append(load_file(tmp_path / name / "weights.safetensors"))
            found = store.read(tmp_path / name / store.LATEST)
            assert found.key == ""
            assert found.training["secure"] is True
            (part,) = parts_of(tmp_path / name / "weights.safetensors")
            assert part.looks == ""
            assert part.spent == (1.0, 20 / 120, 6)
            record = json.loads((tmp_path / name / "result.json").read_text())
            assert "--secure" in record["environment"]["command"]
        assert not any(torch.equal(ended[0][k], ended[1][k]) for k in ("1.1.weight", "1.1.bias"))

    def test_its_noise_is_new_at_every_call_and_normal(self):
        trainer = prepared(secure=True).trainer
        first, second = noise(trainer), noise(trainer)
        assert abs(alike(first, second)) < 0.2
        drawn = normal(torch.Size([200, 1000]), torch.float32, SecretGenerator(bytes(16)))
        assert drawn.shape == (200, 1000)
        assert abs(float(drawn.mean())) < 5 / 200_000**0.5
        assert float(drawn.std()) == pytest.approx(1, abs=5 / 400_000**0.5)
        assert float((drawn.abs() > 1.96).double().mean()) == pytest.approx(0.05, abs=0.003)
        again = [
            add_noise({"a": torch.zeros(9)}, 1.0, SecretGenerator(bytes(16)))["a"] for _ in "ab"
        ]
        assert not torch.equal(*again)  # not even from the same state
