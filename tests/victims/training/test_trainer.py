"""What a step of a training does."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

import defenses
from defenses import BadInput, Release
from tests.conftest import seeded
from tests.victims.training.small import same, small, trainer_of, weights
from victims.training import prepare
from victims.training.sampling import poisson_batch
from victims.training.state import state
from victims.training.views import augment
from victims.training.weights import write_weights


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
        assert trainer.network.outer == ["1.1", "1.3"]
        for key, after in weights(trainer).items():
            assert torch.allclose(after, before[key] - 0.5 * total[key] / 20, atol=1e-6)

    def test_layers_by_their_factors_give_what_whole_gradients_give(self):
        ended = []
        for outer in (True, False):
            trainer = trainer_of(defense="dprs", momentum=0.9)
            trainer.network.outer = trainer.network.outer if outer else []
            for _ in range(15):
                trainer.advance()
            ended.append(weights(trainer))
        for key in ended[0]:
            assert torch.allclose(ended[0][key], ended[1][key], atol=1e-5)

    def test_one_backward_pass_gives_what_per_example_gradients_give(self):
        trainer = trainer_of(defense="none")
        batch = trainer.inputs[:7], trainer.labels[:7]
        clever = trainer.release(*batch, seeded()).update
        trainer.network.linear = False
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
