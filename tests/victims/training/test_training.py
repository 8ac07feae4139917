"""Training runs: what a step does, what it spends, and what survives."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import cross_entropy

import defenses
from defenses import BadInput, Release
from tests.conftest import seeded
from victims.reproduce.published import ROWS
from victims.train import command_line, main, parse
from victims.training import Training, prepare, releases
from victims.training import checkpoint as store
from victims.training import run as runs
from victims.training.plan import make_plan
from victims.training.sampling import poisson_batch, shuffled_batch
from victims.training.state import state
from victims.training.step import rate_factor
from victims.training.views import PAD, augment
from victims.training.weights import write_weights

SMALL = Training(
    data="digits", count=200, model="mlp", defense="dpsgd", batch_size=20, epochs=2, lr=0.5
)


def small(**changed):
    return dataclasses.replace(SMALL, **changed)


def trainer_of(**changed):
    return prepare.prepare(small(**changed)).trainer


def weights(trainer):
    return {k: p.detach().clone() for k, p in trainer.parameters.items()}


def same(first, second):
    return all(torch.equal(first[k], second[k]) for k in first)


class TestPlan:
    def test_an_epoch_is_one_over_the_sample_rate_steps(self):
        made = make_plan(small(epochs=3, batch_size=30), 200)
        assert made.sample_rate == 0.15
        assert made.steps == 20
        assert made.epoch_ends() == [7, 13, 20]

    def test_epsilon_sets_the_noise_for_the_whole_run(self):
        for accountant in ("rdp", "prv"):
            made = make_plan(small(epsilon=3.0, accountant=accountant), 200)
            assert 2.98 < made.epsilon(made.steps) <= 3
        assert made.epsilon(5) < made.epsilon(6)
        gep = make_plan(small(epsilon=3.0, defense="gep"), 200).defense
        dpsgd = make_plan(small(epsilon=3.0), 200).defense
        assert gep.noise_multiplier == pytest.approx(math.sqrt(2) * dpsgd.noise_multiplier)

    def test_with_a_noise_multiplier_epsilon_is_a_budget_that_ends_the_run(self):
        options = {"noise_multiplier": 1.0}
        whole = make_plan(small(defense_options=options), 200)
        budget = (whole.epsilon(11) + whole.epsilon(12)) / 2
        made = make_plan(small(defense_options=options, epsilon=budget), 200)
        assert (made.cut, made.steps) == (True, 11)

    def test_an_epsilon_that_is_spent_refuses_to_train_on(self):
        with pytest.raises(BadInput, match="already spent: one more step"):
            make_plan(small(defense_options={"noise_multiplier": 0.5}, epsilon=0.1), 200)
        history = ((1.0, 0.1, 500),)
        with pytest.raises(BadInput, match="already spent: earlier training took"):
            make_plan(small(epsilon=1.0), 200, history)
        more = small(epsilon=20.0, accountant="rdp")
        later = make_plan(more, 200, history)
        assert 19.9 < later.epsilon(later.steps) <= 20
        assert later.defense.noise_multiplier > make_plan(more, 200).defense.noise_multiplier

    @pytest.mark.parametrize("name", ["none", "topk", "gaussian"])
    def test_no_epsilon_can_be_set_for_what_guarantees_none(self, name):
        with pytest.raises(BadInput, match="guarantees no epsilon"):
            make_plan(small(defense=name, epsilon=3.0), 200)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"lr": 0.0}, "lr is 0"),
            ({"momentum": 1.0}, r"must be in \[0, 1\)"),
            ({"epochs": 0}, "epochs is 0; it must be >= 1"),
            ({"sampling": "cyclic"}, "known: poisson, shuffle"),
            ({"delta": 1.0}, "delta is 1"),
            ({"lr": math.nan}, "lr must be a number, not nan"),
        ],
    )
    def test_settings_outside_their_range_are_refused(self, changed, message):
        with pytest.raises(BadInput, match=message):
            small(**changed)

    def test_a_batch_larger_than_the_data_is_refused(self):
        with pytest.raises(BadInput, match="larger than the 10 examples"):
            make_plan(small(), 10)


class TestStep:
    def test_dpsgd_is_clip_sum_noise_divide_as_a_loop_does_it(self):
        trainer = trainer_of(defense_options={"clip": 0.3, "noise_multiplier": 0.0})
        before = weights(trainer)
        index = poisson_batch(200, 0.1, trainer.draw("batch", 0))
        total = {k: torch.zeros_like(p) for k, p in before.items()}
        for i in index.tolist():
            loss = cross_entropy(
                trainer.model(trainer.inputs[i : i + 1]), trainer.labels[i : i + 1]
            )
            grads = torch.autograd.grad(loss, list(trainer.parameters.values()))
            norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
            for key, grad in zip(total, grads, strict=True):
                total[key] += grad * min(1, 0.3 / norm)
        trainer.advance()
        assert trainer.outer == ["1.1", "1.3"]
        for key, after in weights(trainer).items():
            assert torch.allclose(after, before[key] - 0.5 * total[key] / 20, atol=1e-6)

    def test_layers_by_their_factors_give_what_whole_gradients_give(self):
        ended = []
        for outer in (True, False):
            trainer = trainer_of(defense="dprs", momentum=0.9)
            trainer.outer = trainer.outer if outer else []
            for _ in range(15):
                trainer.advance()
            ended.append(weights(trainer))
        for key in ended[0]:
            assert torch.allclose(ended[0][key], ended[1][key], atol=1e-5)

    def test_one_backward_pass_gives_what_per_example_gradients_give(self):
        trainer = trainer_of(defense="none")
        batch = trainer.inputs[:7], trainer.labels[:7]
        clever = trainer.release(*batch, seeded()).update
        trainer.linear = False
        plain = trainer.release(*batch, seeded()).update
        assert all(torch.allclose(clever[k], plain[k], atol=1e-7) for k in plain)

    def test_an_empty_poisson_batch_is_noise_only(self):
        trainer = trainer_of(defense_options={"noise_multiplier": 2.0})
        nothing = trainer.inputs[:0], trainer.labels[:0]
        release = trainer.release(*nothing, seeded())
        drawn = torch.cat([v.flatten() for v in release.update.values()])
        assert float(drawn.std()) == pytest.approx(2.0 / 20, rel=0.05)
        quiet = trainer_of(defense="none", momentum=0.9)
        assert not any(v.any() for v in quiet.release(*nothing, seeded()).update.values())

    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_dropped_coordinates_do_not_move_whatever_the_optimizer_remembers(self, optimizer):
        options = {"rate": 0.8, "noise_multiplier": 1.0}
        momentum = 0.9 if optimizer == "sgd" else 0.0
        trainer = trainer_of(
            defense="dprs",
            defense_options=options,
            optimizer=optimizer,
            momentum=momentum,
            weight_decay=0.1,
            epochs=4,
            lr=0.01,
        )
        for _ in range(40):
            before, remembered = weights(trainer), state(trainer)
            release = trainer.advance()
            after, remembers = weights(trainer), state(trainer)
            for place, (key, mask) in enumerate(release.public["mask"].items()):
                assert torch.equal(before[key][~mask], after[key][~mask])
                # All, but for steps too small for float32.
                assert float((before[key][mask] != after[key][mask]).float().mean()) > 0.95
                for kind in ("momentum_buffer", "exp_avg", "exp_avg_sq"):
                    name = f"optimizer.{place}.{kind}"
                    if name in remembered:
                        assert torch.equal(remembered[name][~mask], remembers[name][~mask])

    def test_dprs_cools_linearly_from_dense_and_redraws_its_mask_per_epoch(self):
        trainer = trainer_of(
            defense="dprs", defense_options={"rate": 0.9, "refresh": 2}, epochs=5, lr=0.01
        )
        rates, sent, masks = [], [], []
        for _ in range(50):
            release = trainer.advance()
            rates.append(release.public["rate"])
            sent.append(release.wire_bytes)
            masks.append(torch.cat([m.flatten() for m in release.public["mask"].values()]))
        assert rates == pytest.approx([0.9 * (s // 5) / 9 for s in range(50)])
        total = sum(p.numel() for p in trainer.parameters.values())
        assert sent == [4 * (total - int(r * total)) for r in rates]
        changes = [not torch.equal(a, b) for a, b in itertools.pairwise(masks)]
        assert [i + 1 for i, changed in enumerate(changes) if changed] == list(range(5, 50, 5))

    def test_refresh_zero_is_refused(self):
        with pytest.raises(BadInput, match="refresh is 0; it must be >= 1"):
            trainer_of(defense="dprs", defense_options={"refresh": 0})

    def test_views_are_averaged_before_clipping(self):
        trainer = trainer_of(views=3, data="photos", count=20, model="lenet", batch_size=5)
        images = augment(trainer.inputs[:2], 3, seeded())
        one = trainer.release(images, trainer.labels[:2], seeded()).update
        repeated = trainer.inputs[:2, None].repeat(1, 3, 1, 1, 1)
        trainer_of(data="photos", count=20, model="lenet", batch_size=5)
        twin = trainer.release(repeated, trainer.labels[:2], seeded()).update
        single = trainer.release(trainer.inputs[:2], trainer.labels[:2], seeded()).update
        assert all(torch.allclose(twin[k], single[k], atol=1e-6) for k in twin)
        assert not torch.allclose(one["1.0.weight"], single["1.0.weight"], atol=1e-6)

    def test_a_defense_of_the_users_own_trains(self, monkeypatch):
        known = dict(defenses.registry._classes)
        monkeypatch.setattr(defenses.registry, "_classes", known)

        @defenses.register("halved")
        @dataclasses.dataclass(frozen=True)
        class Halved(defenses.Defense):
            def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
                return Release({k: g.sum(0) / (2 * batch_size) for k, g in grads.items()})

            def replay(self, grads, release):
                raise NotImplementedError

        halved, plain = trainer_of(defense="halved", lr=1.0), trainer_of(defense="none", lr=0.5)
        plain.draw = halved.draw
        for _ in range(3):
            halved.advance()
            plain.advance()
        for key, value in weights(plain).items():
            assert torch.allclose(value, weights(halved)[key], atol=1e-5)

    @pytest.mark.parametrize("name", ["gep", "rgp"])
    def test_low_rank_defenses_train_with_and_without_sparsity(self, name):
        for rate in (0.0, 0.5):
            options = {"rate": rate, "noise_multiplier": 0.1}
            trainer = trainer_of(
                data="tests.parts:private",
                defense=name,
                defense_options=options,
                public="tests.parts:public",
                anchors=16,
                model="linear",
            )
            before = trainer.correct(trainer.inputs, trainer.labels)
            for _ in range(20):
                trainer.advance()
            assert trainer.correct(trainer.inputs, trainer.labels) > before + 30
        with pytest.raises(BadInput, match="learns from public data"):
            trainer_of(defense="gep")

    def test_batchnorm_is_refused_under_dp_with_the_way_out_and_trains_without(self):
        setting = {"data": "photos", "count": 8, "model": "convnet", "batch_size": 4}
        with pytest.raises(BadInput, match=r"BatchNorm.*GroupNorm.*ModuleValidator\.fix"):
            trainer_of(**setting)
        trainer = trainer_of(**setting, defense="none")
        before = state(trainer)["model.1.1.running_mean"]
        trainer.advance()
        assert not torch.equal(before, state(trainer)["model.1.1.running_mean"])

    def test_the_average_follows_the_weights_and_is_what_counts(self):
        trainer = trainer_of(average=0.9)
        for _ in range(5):
            trainer.advance()
        moved = [not torch.equal(trainer.average[k], v) for k, v in weights(trainer).items()]
        assert all(moved)
        assert same(trainer.evaluated_weights(), trainer.average)

    def test_last_layer_trains_on_frozen_features_and_saves_the_whole_model(self, tmp_path):
        prepared = prepare.prepare(small(layers="last", defense="dprs"))
        trainer = prepared.trainer
        assert sorted(trainer.parameters) == ["head.bias", "head.weight"]
        start = {k: v.clone() for k, v in prepared.model.state_dict().items()}
        trainer.advance()
        saved = load_file(write_weights(prepared, tmp_path / "w.safetensors"))
        changed = {k for k in start if not torch.equal(start[k], saved[k])}
        assert changed == {"1.3.weight", "1.3.bias"}


class TestPieces:
    def test_poisson_batches_have_the_rate_and_are_independent(self):
        draws = [poisson_batch(1000, 0.05, seeded(s)) for s in range(200)]
        sizes = torch.tensor([len(d) for d in draws], dtype=torch.float64)
        assert float(sizes.mean()) == pytest.approx(50, abs=5 * math.sqrt(47.5 / 200))
        assert float(sizes.var()) == pytest.approx(47.5, rel=5 * math.sqrt(2 / 200))

    def test_shuffled_batches_see_every_example_once_per_epoch(self):
        epoch = torch.cat([shuffled_batch(100, 20, step, seeded) for step in range(5)])
        assert epoch.sort().values.equal(torch.arange(100))
        assert not shuffled_batch(100, 20, 0, seeded).equal(shuffled_batch(100, 20, 5, seeded))

    def test_views_are_crops_of_the_padded_image_and_mirror_only_colour(self):
        images = torch.rand(4, 3, 12, 10, generator=seeded())
        padded = nn.functional.pad(images, (PAD,) * 4, mode="reflect")
        found = augment(images, 6, seeded(1))
        mirrored = 0
        for image, views in zip(padded, found, strict=True):
            crops = image.unfold(1, 12, 1).unfold(2, 10, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
            for view in views:
                plain = bool((crops == view).flatten(1).all(1).any())
                flipped = bool((crops == view.flip(-1)).flatten(1).all(1).any())
                assert plain or flipped
                mirrored += flipped and not plain
        assert 0 < mirrored < 24
        assert augment(images[:0], 6, seeded()).shape == (0, 6, 3, 12, 10)

    def test_learning_rate_schedules(self):
        assert [rate_factor("constant", 0, s, 4) for s in range(4)] == [1, 1, 1, 1]
        assert [rate_factor("linear", 0, s, 4) for s in range(4)] == [1, 0.75, 0.5, 0.25]
        assert rate_factor("cosine", 0, 2, 4) == pytest.approx(0.5)
        assert [rate_factor("constant", 4, s, 9) for s in range(5)] == [0.25, 0.5, 0.75, 1, 1]


FLAGS = ["--data", "digits", "--model", "mlp", "--epochs", "4", "--batch-size", "64"]
FLAGS += ["--defense", "dprs", "--noise-multiplier", "1", "--momentum", "0.9", "--average", "0.9"]


class TestRun:
    def test_prints_accuracy_and_epsilon_and_writes_a_record(self, tmp_path, capsys):
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

    def test_the_bare_command_trains_at_epsilon_three(self, tmp_path, capsys):
        assert main(["--epochs", "1", "--out", str(tmp_path / "r")]) == 0
        record = json.loads((tmp_path / "r/result.json").read_text())
        assert record["scenario"]["epsilon"] == 3
        bare = ["--defense", "topk", "--epochs", "1", "--out", str(tmp_path / "n")]
        assert main(bare) == 0
        assert "epsilon (prv): inf" in capsys.readouterr().out

    def test_shuffled_batches_carry_a_warning_and_no_promise(self, tmp_path, capsys):
        assert main([*FLAGS, "--sampling", "shuffle", "--out", str(tmp_path / "r")]) == 0
        assert "not a guarantee of this run" in capsys.readouterr().out
        assert json.loads((tmp_path / "r/result.json").read_text())["bounds"]["holds"] is False

    def test_a_run_killed_at_its_hardest_ends_with_the_same_weights(self, tmp_path):
        assert main([*FLAGS, "--out", str(tmp_path / "whole")]) == 0
        killed = tmp_path / "killed"
        words = [sys.executable, "-m", "victims.train", *FLAGS, "--out", str(killed)]
        words += ["--save-seconds", "0"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        latest = killed / store.LATEST
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if latest.exists() and store.read(latest).step > 10:
                break
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        step = store.read(latest).step
        assert 10 < step < 83
        assert not (killed / "result.json").exists()
        assert main([*FLAGS, "--out", str(killed)]) == 0
        first, second = (load_file(p / "weights.safetensors") for p in (tmp_path / "whole", killed))
        assert same(first, second)

    def test_any_step_can_be_reached_again(self, tmp_path):
        prepared = prepare.prepare(SMALL)
        seen = {}

        def watch(trainer):
            seen[trainer.step] = weights(trainer)

        list(runs.run(prepared, tmp_path, keep=3, watch=watch))
        for step in (0, 1, 7, 19):
            again = runs.at_step(tmp_path, step).trainer
            assert again.step == step
            assert same(seen[step], weights(again))
        with pytest.raises(BadInput, match="has steps 0 to 20"):
            runs.at_step(tmp_path, 21)

    def test_a_gradient_that_is_not_finite_stops_with_the_weights_before_it(self, tmp_path, capsys):
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

    def test_weights_trained_on_the_same_data_bring_their_epsilon(self, tmp_path, capsys):
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

    def test_another_runs_folder_is_not_overwritten(self, tmp_path):
        list(runs.run(prepare.prepare(SMALL), tmp_path))
        with pytest.raises(BadInput, match="holds another training run"):
            list(runs.run(prepare.prepare(small(seed=1)), tmp_path))

    @pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "pickle"])
    def test_damaged_checkpoints_are_refused_in_one_line(self, tmp_path, damage):
        list(runs.run(prepare.prepare(SMALL), tmp_path))
        path = tmp_path / store.LATEST
        whole = path.read_bytes()
        if damage == "foreign":
            write_weights(prepare.prepare(SMALL), path)
        else:
            bad = {
                "empty": b"",
                "cut": whole[: len(whole) // 2],
                "pickle": b"\x80\x04cos\nsystem\n",
            }
            path.write_bytes(bad[damage])
        with pytest.raises(BadInput, match="checkpoint") as caught:
            list(runs.run(prepare.prepare(SMALL), tmp_path))
        assert "\n" not in str(caught.value)

    def test_recording_changes_nothing_and_its_files_can_be_attacked(self, tmp_path, capsys):
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
        assert invert([*words, "--defense", "none", "--out", str(tmp_path / "o")]) == 0
        guess = load_file(tmp_path / "o/arrays.safetensors")
        truth = load_file(tmp_path / "b/releases/truth.safetensors")["images"][1]
        image = next(v for k, v in guess.items() if "none" in k)[0]
        assert torch.allclose(image, truth, atol=1e-3)
        capsys.readouterr()


@pytest.mark.parametrize("row", [r.name for r in ROWS])
def test_every_published_row_can_be_planned_and_its_command_parsed(row):
    training = next(r.training for r in ROWS if r.name == row)
    made = make_plan(training, 50_000 if training.data == "cifar10" else 60_000)
    if training.epsilon:
        assert made.epsilon(made.steps) == pytest.approx(training.epsilon, rel=2e-3)
    words = shlex.split(command_line(training))[3:]
    parsed = parse(words)
    assert parsed.lr == training.lr
    assert parsed.batch_size == training.batch_size
    assert getattr(parsed, "defense.clip") == training.defense_options["clip"]


def test_recording_leaves_batchnorm_alone(tmp_path):
    prepared = prepare.prepare(
        small(data="photos", count=8, model="convnet", batch_size=4, defense="none")
    )
    before = state(prepared.trainer)
    releases.Recorder(prepared, tmp_path, every=1, images=1)(prepared.trainer)
    assert same(before, state(prepared.trainer))
    assert prepared.trainer.net.training


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


def test_the_docs_own_sum_trains_as_shown(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "docs" / "defenses.md").read_text()
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
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text()
    (tmp_path / "mypkg.py").write_text(page.split("# mypkg.py")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    line = next(x for x in page.splitlines() if "--model mypkg:small" in x)
    flags = [*line.split()[3:], "--epochs", "1", "--out", str(tmp_path / "r")]
    assert main(flags) == 0
    assert json.loads((tmp_path / "r/result.json").read_text())["bounds"]["epsilon"]["prv"] <= 8
