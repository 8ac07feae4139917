"""What was spent before: the ledger that weights bring, and caveats that travel."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from defenses import BadInput
from tests.conftest import seeded
from tests.victims.training.linear import LINEAR, folders, prepared, stored
from victims.data import Data, load_data
from victims.train import main
from victims.training import checkpoint as store
from victims.training import prepare
from victims.training.examples import Examples
from victims.training.ledger import UNTOLD, parts_of, past_of
from victims.training.weights import write_weights

FLAGS = "--data digits --count 120 --model linear --batch-size 20 --epochs 1 --defense dpsgd"
FLAGS = [*FLAGS.split(), "--noise-multiplier", "1"]


class TestLedger:
    def test_a_folder_is_the_same_however_it_is_spelled(self, tmp_path, monkeypatch):
        one, same, other = folders(tmp_path)
        path = stored(tmp_path, data=one)
        monkeypatch.chdir(tmp_path)
        for spec in (one, same, "folder:imgs", "folder:./imgs"):
            assert prepared(data=spec, weights=str(path)).trainer.plan.history == ((1.0, 1 / 6, 1),)
        assert prepared(data=other, weights=str(path)).trainer.plan.history == ()

    def test_people_are_known_in_another_set(self, tmp_path):
        path = stored(tmp_path)
        seen = load_data("digits", split="train", count=120).images
        strangers = torch.rand(50, 1, 8, 8, generator=seeded())
        mixed = torch.cat([strangers, seen[7:8]])
        found = past_of(path, "mine:images", mixed)
        assert len(found.history) == 1
        assert "1 of these images look like some of digits" in found.remarks[0]
        assert past_of(path, "mine:images", strangers).history == ()
        assert past_of(path, "photos", strangers).history == ()
        assert past_of(path, "digits", strangers).history == found.history

    def test_what_cannot_be_told_is_counted(self, tmp_path):
        path = stored(tmp_path)
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
        del facts["parts"]
        state = load_file(path)
        save_file(state, tmp_path / "old.safetensors", {"facts": json.dumps(facts)})
        strangers = torch.rand(50, 1, 8, 8, generator=seeded())
        found = past_of(tmp_path / "old.safetensors", "mine:images", strangers)
        assert (len(found.history), found.holds) == (1, True)
        assert "nothing tells whether" in found.remarks[0]
        assert past_of(tmp_path / "old.safetensors", "photos", strangers).history == ()
        save_file(state, tmp_path / "bare.safetensors")
        assert past_of(tmp_path / "bare.safetensors", "digits", strangers).remarks == (UNTOLD,)
        facts["ledger"] = [[1.0, 0.1, -50]]
        save_file(state, tmp_path / "bad.safetensors", {"facts": json.dumps(facts)})
        with pytest.raises(BadInput, match="damaged ledger"):
            past_of(tmp_path / "bad.safetensors", "digits", strangers)

    def test_trainings_of_other_people_stay_in_it(self, tmp_path):
        first = stored(tmp_path)
        images, labels = torch.rand(120, 1, 8, 8, generator=seeded()), torch.arange(120) % 10
        strangers = Data(images, labels, 10, tuple("0123456789"))
        made = prepare.prepare(
            dataclasses.replace(LINEAR, data="mine:images", weights=str(first)),
            examples=Examples(strangers, strangers),
        )
        assert made.trainer.plan.history == ()
        second = write_weights(made, tmp_path / "second.safetensors")
        assert [part.data for part in parts_of(second)] == ["digits", "mine:images"]
        back = prepared(weights=str(second)).trainer.plan
        assert back.history == ((1.0, 1 / 6, 1),)

    def test_a_caveat_outlives_the_run_it_was_about(self, tmp_path, capsys):
        first = stored(tmp_path, sampling="shuffle")
        assert main([*FLAGS, "--weights", str(first), "--out", str(tmp_path / "b")]) == 0
        told = capsys.readouterr().out
        assert "what they spent on digits is no guarantee" in told
        assert re.search(r"epsilon \(prv\): [\d.]+\?, had all batches been Poisson", told)
        record = json.loads((tmp_path / "b/result.json").read_text())
        assert record["bounds"]["holds"] is False
        assert not any(row["holds"] for row in record["rows"])
        on = prepared(weights=str(tmp_path / "b/weights.safetensors")).trainer.plan
        assert len(on.history) == 2
        assert on.bounds()["holds"] is on.holds is False
        assert prepared().trainer.plan.holds


class TestDamage:
    @pytest.mark.parametrize(
        "spent",
        [
            "[1, 0.1, Infinity]",
            "[1, 0.1, 1.5]",
            "[1, 0.1, true]",
            f"[1, 0.1, {10**400}]",
            f"[{10**400}, 0.1, 1]",
            '["1", 0.1, 1]',
            "[NaN, 0.1, 1]",
            "[1, 0.1]",
            "[" * 10**5,
        ],
    )
    def test_numbers_that_no_training_spends_take_one_line(self, tmp_path, spent):
        part = f'{{"data": "digits", "looks": "", "holds": true, "spent": {spent}}}'
        facts = {"w": f'{{"parts": [{part}]}}', "c": f'{{"training": {{}}, "ledger": [{spent}]}}'}
        for name, text in facts.items():
            about = {"format": store.FORMAT, "facts": text}
            save_file({"a": torch.zeros(1)}, tmp_path / name, about)
        with pytest.raises(BadInput, match="damaged ledger"):
            past_of(tmp_path / "w", "digits", torch.rand(2, 1, 8, 8))
        with pytest.raises(BadInput, match="damaged checkpoint"):
            store.read(tmp_path / "c")

    @pytest.mark.parametrize(
        "facts", ['{"parts": []}', '{"parts": {}}', '{"ledger": [], "training": {}}']
    )
    def test_a_ledger_of_nothing_is_damaged_and_no_clean_slate(self, tmp_path, facts):
        save_file({"a": torch.zeros(1)}, tmp_path / "w", {"facts": facts})
        with pytest.raises(BadInput, match="damaged ledger: it tells of no training"):
            past_of(tmp_path / "w", "digits", torch.rand(2, 1, 8, 8))

    @pytest.mark.parametrize("data", ["folder:a\0b", "folder:~nobody-of-this-name/x"])
    def test_a_path_of_no_machine_is_counted(self, tmp_path, data):
        part = {"data": data, "looks": "", "holds": True, "spent": [1, 0.1, 5]}
        save_file({"a": torch.zeros(1)}, tmp_path / "w", {"facts": json.dumps({"parts": [part]})})
        assert past_of(tmp_path / "w", "folder:x", torch.rand(2, 1, 8, 8)).history == ((1, 0.1, 5),)

    def test_a_training_that_is_no_mapping_takes_one_line(self, tmp_path):
        facts = {"training": 5, "step": 0, "rows": [], "ledger": [[1, 0.1, 0]]}
        about = {"format": store.FORMAT, "facts": json.dumps(facts)}
        save_file({"a": torch.zeros(1)}, tmp_path / "c", about)
        with pytest.raises(BadInput, match="damaged checkpoint: its training is 5"):
            store.read(tmp_path / "c")
