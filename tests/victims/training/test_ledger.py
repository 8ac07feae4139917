"""Noise that no other run has, people known by their images, and caveats that travel."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from attacks import audit, membership
from attacks.audit.game.play import plan_with_canaries, play
from attacks.families import run
from attacks.invert.scenario import Scenario
from attacks.membership.shadows.candidates import draw
from attacks.membership.shadows.train import make_trainer
from defenses import BadInput
from defenses.foreign import code_in, refuse_code
from defenses.gradients import add_noise
from defenses.secrecy import SecretGenerator, normal
from reports.sweep.study_file import jobs_of
from tests.conftest import seeded
from victims.data import Data, load_data
from victims.data.people import count_matches, looks, matches, pack, unpack
from victims.gradients import chunk_size, memory
from victims.train import main
from victims.training import Training, prepare
from victims.training import checkpoint as store
from victims.training import run as runs
from victims.training.anchors import refuse_private
from victims.training.examples import Examples, load_examples
from victims.training.ledger import UNTOLD, parts_of, past_of
from victims.training.weights import write_weights

SMALL = Training(
    data="digits",
    count=120,
    model="linear",
    defense="dpsgd",
    defense_options={"noise_multiplier": 1.0},
    batch_size=20,
    epochs=1,
)
FLAGS = "--data digits --count 120 --model linear --batch-size 20 --epochs 1 --defense dpsgd"
FLAGS = [*FLAGS.split(), "--noise-multiplier", "1"]
APART = {"data": "tests.parts:private", "public": "tests.parts:public", "defense": "gep"}


def noise(trainer, step=0):
    """What the next release holds besides the examples: that of an empty batch."""
    trainer.step = step
    nothing = trainer.inputs[:0], trainer.labels[:0]
    release = trainer.release(*nothing, trainer.draw("noise", step))
    return torch.cat([v.flatten() for v in release.update.values()])


def alike(first, second):
    """Correlation."""
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1])


def prepared(private=None, **changed):
    training = dataclasses.replace(SMALL, **changed)
    examples = load_examples(training)
    if private is not None:
        examples = dataclasses.replace(examples, train=private)
    return prepare.prepare(training, examples=examples)


def stored(folder, **changed):
    made = prepared(**changed)
    made.trainer.advance()
    return write_weights(made, folder / "w.safetensors")


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


def folders(base):
    """One folder of images under two names, and another folder under a third."""
    for name, shift in (("imgs", 0), ("others", 300)):
        data = load_data("digits", split="train")
        for split in ("train", "test"):
            for i in range(200):
                place = base / name / split / str(int(data.labels[shift + i]))
                place.mkdir(parents=True, exist_ok=True)
                pixels = (data.images[shift + i, 0] * 255).round().to(torch.uint8)
                Image.fromarray(pixels.numpy()).save(place / f"{i}.png")
    return [f"folder:{base}/imgs", f"folder:{base}/./imgs/../imgs", f"folder:{base}/others"]

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
        both = [dataclasses.replace(load_examples(SMALL), test=own) for own in (test, more)]
        runs_of = [prepare.prepare(SMALL, examples=examples) for examples in both]
        found = [noise(run.trainer)[:640] for run in runs_of]
        assert abs(alike(*found)) < 0.2


class TestResuming:
    def test_other_data_under_the_same_name_are_refused(self, tmp_path, monkeypatch):
        list(runs.run(prepared(), tmp_path, until=3))
        other = load_data("digits", split="train", count=120, seed=1)
        with pytest.raises(BadInput, match="have changed since it began"):
            list(runs.run(prepared(other), tmp_path))

    def test_a_checkpoint_of_noise_that_the_seed_told_is_refused(self, tmp_path):
        list(runs.run(prepared(), tmp_path, keep=0))
        old = dataclasses.replace(store.read(tmp_path / store.LATEST), key="")
        store.save(old, tmp_path / store.LATEST)
        with pytest.raises(BadInput, match="earlier version"):
            list(runs.run(prepared(), tmp_path))

    def test_the_furthest_checkpoint_is_where_a_run_goes_on(self, tmp_path):
        seen = []
        for row in runs.run(prepared(secure=True, epochs=3), tmp_path, keep=18):
            seen.append(row["step"])
            break  # killed once a row has been shown
        assert store.read(tmp_path / store.LATEST).step == seen[0] == 6
        made = prepared(secure=True, epochs=3)
        list(runs.run(made, tmp_path, keep=18, until=9))
        kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
        assert kept[-1] == "step-000008.safetensors"
        started = []
        made = prepared(secure=True, epochs=3)
        rows = list(runs.run(made, tmp_path, watch=lambda trainer: started.append(trainer.step)))
        assert started[0] == 8
        assert [row["step"] for row in rows] == [6, 12, 18]


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

    def test_its_noise_leaves_no_number_out(self):
        """A product with a rounded number misses a share of the numbers above a power of 2."""
        std = 1.5
        for generator, share in ((seeded(0), 1.0), (SecretGenerator(bytes(16)), 0.95)):
            found = add_noise({"a": torch.zeros(20_000)}, std, generator)["a"]
            near = (found / std)[:, None] * (1 + torch.arange(-2, 3) * 2.0**-24)
            product = (near * std == found[:, None]).any(1).double().mean()
            assert product == 1 if share == 1 else 0.3 < product < share

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

    def test_a_step_can_be_reached_where_it_was_kept_and_nowhere_else(self, tmp_path):
        list(runs.run(prepared(secure=True), tmp_path, keep=2))
        assert runs.at_step(tmp_path, 3).trainer.step == 3
        with pytest.raises(BadInput, match=r"trained with --secure.*step may be 0, 3, 6"):
            runs.at_step(tmp_path, 4)

    def test_what_needs_the_noise_again_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match="single people's releases"):
            main([*FLAGS, "--secure", "--record-every", "2", "--out", str(tmp_path / "r")])
        secure = dataclasses.replace(SMALL, secure=True)
        for kind in (membership.Scenario, audit.Scenario):
            with pytest.raises(BadInput, match="--secure is for deployments"):
                kind(training=secure)
        with pytest.raises(BadInput, match="Poisson"):
            dataclasses.replace(secure, sampling="shuffle")

    def test_settings_of_other_runs_keep_their_names(self):
        assert "secure" not in SMALL.document()
        assert dataclasses.replace(SMALL, secure=True).key() != SMALL.key()


class TestPeople:
    def test_a_look_outlives_jpeg_and_another_size(self):
        images = load_data("photos", split="train", size=64).images[:100]
        known = looks(images)
        assert count_matches(known, known) == 100
        assert torch.equal(unpack(pack(known)), known)
        assert count_matches(looks(jpeg(images)), known) > 60
        smaller = load_data("photos", split="train", size=32).images[:100]
        assert count_matches(looks(smaller), known) > 90
        noise = looks(torch.rand(200, 3, 64, 64, generator=seeded()))
        assert count_matches(noise[:100], torch.cat([known, noise[100:]])) == 0

    def test_equal_and_nearly_equal_images_are_shared(self):
        images = load_data("photos", split="train").images
        near = torch.stack([images[3], (images[7] * 255).round() / 255, jpeg(images[9:10])[0]])
        others = torch.cat([torch.rand(2, 3, 32, 32, generator=seeded()), near])
        assert matches(others, images).tolist() == [False, False, True, True, True]
        assert not matches(images[:0], images).any()
        assert not matches(others[:2], images[:0]).any()

    @pytest.mark.parametrize("text", ["?", "AAAA", None])
    def test_damaged_looks_are_refused(self, text):
        with pytest.raises(ValueError, match="looks"):
            unpack(text)


def jpeg(images):
    found = []
    for image in images:
        pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype("uint8")
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        found.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255)
    return torch.stack(found)


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
            dataclasses.replace(SMALL, data="mine:images", weights=str(first)),
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


class TestAnchors:
    def test_private_ones_are_refused(self):
        with pytest.raises(BadInput, match="of the 128 public examples of --public are among the"):
            prepared(defense="gep", public="digits")
        run = prepared(**APART)
        assert run.trainer.public is not None
        private = run.train
        mirrored = Data(private.images[:3].flip(-1), private.labels[:3], 10, tuple("0123456789"))
        with pytest.raises(BadInput, match="3 of the 3 public examples"):
            refuse_private(mirrored, private.images, "the private ones")

    def test_all_models_of_a_trial_have_the_same_and_none_is_a_candidate(self):
        training = dataclasses.replace(SMALL, **APART, count=40, anchors=16)
        scenario = membership.Scenario(
            training, shadows=2, population=30, watched=0, layout="plain"
        )
        found = draw(scenario)
        public = [make_trainer(scenario, training, found, m, "cpu").public[0] for m in range(3)]
        assert torch.equal(public[0], public[1])
        assert torch.equal(public[0], public[2])
        everybody = torch.cat([found.pool.images, found.population.images])
        assert not matches(public[0], everybody).any()
        own = dataclasses.replace(training, data="digits", public="digits")
        with pytest.raises(BadInput, match="among the candidates and the population"):
            draw(dataclasses.replace(scenario, training=own))

    @pytest.mark.parametrize("canary", ["dirac", "mislabelled"])
    def test_an_audit_s_are_no_canaries(self, canary, monkeypatch):
        seen = []
        inner = prepare.Trainer.__init__

        def noted(self, *given, **named):
            inner(self, *given, **named)
            seen.append(self.public[0])

        monkeypatch.setattr(prepare.Trainer, "__init__", noted)
        training = dataclasses.replace(SMALL, **APART, count=40, anchors=16)
        scenario = audit.Scenario(training, canaries=20, canary=canary, runs=2)
        for turn in range(2):
            play(scenario, run=turn, plan=plan_with_canaries(scenario))
        assert torch.equal(*seen)
        own = dataclasses.replace(training, data="digits", public="digits", anchors=300)
        with pytest.raises(BadInput, match="public examples of --public are among"):
            play(dataclasses.replace(scenario, training=own))


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


class TestCode:
    def test_code_that_a_checkpoint_names_is_not_imported(self, tmp_path, monkeypatch):
        from attacks.invert.__main__ import main as invert
        from attacks.invert.along import main as along

        (tmp_path / "evil.py").write_text(
            "from pathlib import Path\n"
            f"Path({str(tmp_path / 'touched')!r}).touch()\n"
            "from victims.data import load_data\n"
            "def images(split):\n    return load_data('digits', split=split)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        run = tmp_path / "run"
        list(runs.run(prepared(), run))
        found = store.read(run / store.LATEST)
        hostile = dataclasses.replace(found, training={**found.training, "data": "evil:images"})
        for path in [run / store.LATEST, *(run / "checkpoints").iterdir()]:
            store.save(dataclasses.replace(hostile, step=store.read(path).step), path)
        for call in (
            lambda: runs.at_step(run, 2),
            lambda: invert(["--checkpoint", str(run), "--out", str(tmp_path / "o")]),
            lambda: along([str(run), "--out", str(tmp_path / "o")]),
        ):
            with pytest.raises(BadInput, match=r"names 'evil:images' as its data.*--code evil:ima"):
                call()
        assert not (tmp_path / "touched").exists()
        with pytest.raises(BadInput):  # imported now, and found to be another run
            runs.at_step(run, 2, code=["evil:images"])
        assert (tmp_path / "touched").exists()

    def test_every_field_that_is_imported_is_looked_at(self):
        fields = {"data": "folder:a:b", "public": "folder:x", "weights": "c:\\w"}
        fields |= {"model": "folder:x", "defense": "dpsgd+a.b:C", "against": ["none", "m:N"]}
        assert code_in(fields) == {"folder:x": "model", "dpsgd+a.b:C": "defense", "m:N": "against"}
        refuse_code(fields, "f", ["folder:x", "dpsgd+a.b:C", "m:N"])
        with pytest.raises(BadInput, match="f names 'm:N' as its against"):
            refuse_code(fields, "f", ["folder:x", "dpsgd+a.b:C"])


def test_sums_do_not_depend_on_who_keeps_the_memory(monkeypatch):
    sizes = []
    for kept in (False, True):
        monkeypatch.setattr(memory, "_kept", kept)
        sizes.append(chunk_size({"w": torch.empty(1 << 18)}))
    assert sizes == [24, 24]


def test_code_in_a_study_file_is_not_imported_either(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text('images = 1\n[[block]]\ndefense = ["none", "evil:Shield"]\n')
    with pytest.raises(BadInput, match=r"study.toml names 'evil:Shield' as its defense"):
        jobs_of(str(study), {})
    assert len(jobs_of(str(study), {"--defense": ["none"]})) == 1
    with pytest.raises(BadInput, match="cannot be imported"):
        jobs_of(str(study), {}, ["evil:Shield"])
    # Nor behind a value of another flag.
    for line in ('against = "none --attack=auto"', 'attacks = [["loss", "--shadows=2"]]'):
        family = "membership" if "attacks" in line else "invert"
        study.write_text(f'command = "attacks.{family}"\n{line}\n')
        with pytest.raises(BadInput, match="has a value with -- in front"):
            jobs_of(str(study), {})
    study.write_text('code = [["a:b", "--defense=evil:Shield"]]\n')
    with pytest.raises(BadInput, match="--code cannot be swept"):
        jobs_of(str(study), {})
    study.write_text('command = "evil"\n')
    with pytest.raises(BadInput, match="no command 'evil' runs Scenarios"):
        jobs_of(str(study), {})


def test_single_releases_of_different_images_share_no_noise():
    few = {
        "defense": "gaussian",
        "against": (),
        "images": 1,
        "split": "train",
        "columns": "adaptive",
    }
    few |= {"defense_options": {"noise_multiplier": 100.0}, "attack_options": {"iterations": 2}}
    few |= {"columns": "adaptive"}
    seen = []
    inner = add_noise

    def noted(update, std, generator):
        noisy = inner(update, std, generator)
        seen.append(torch.cat([(noisy[k] - update[k]).flatten() for k in update]))
        return noisy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("defenses.bases.summed.add_noise", noted)
        firsts = []
        for changed in ({"data": "digits"}, {"data": "tests.parts:private"}, {"data": "digits"}):
            run(Scenario(model="linear", attack="dlg", **{**few, **changed}))
            firsts.append(seen[-1])  # those before look for a schedule, on no one's gradients
            seen.clear()
    assert abs(alike(firsts[0], firsts[1])) < 0.2
    assert torch.equal(firsts[0], firsts[2])
