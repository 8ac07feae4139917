"""RGP: carriers of low rank, what they reproduce, what is bounded and where the noise falls."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

import victims
from defenses import BadInput, Side
from defenses.methods.rgp import RGP, carriers, factors, lift
from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat

BOTH = ["gep", "rgp"]

LOOSE = {"noise_multiplier": 0.0, "clip": 1e6, "rate": 0.0}


def distance(first, second):
    return float((flat(first).double() - flat(second).double()).norm())


class TestRGP:
    def test_carriers_are_the_gradients_of_the_reparametrised_layer(self):
        draw = seeded(2)
        weight, inputs = torch.randn(30, 20, generator=draw), torch.randn(5, 20, generator=draw)
        labels = torch.arange(5)
        left, right = factors(torch.randn(30, 20, generator=draw), 4, 1, draw)
        grads = {"w": torch.zeros(5, 30, 20)}
        slopes = []
        for i in range(5):
            whole = weight.clone().requires_grad_()
            loss = cross_entropy(linear(inputs[i : i + 1], whole), labels[i : i + 1])
            (grads["w"][i],) = torch.autograd.grad(loss, whole)
            a, b = left.clone().requires_grad_(), right.clone().requires_grad_()
            same = (weight - left @ right) + a @ b
            loss = cross_entropy(linear(inputs[i : i + 1], same), labels[i : i + 1])
            slopes.append(torch.autograd.grad(loss, (a, b)))
        sent = carriers(grads, {"left": {"w": left}, "right": {"w": right}})
        for place, key in enumerate(("w.left", "w.right")):
            expected = torch.stack([s[place] for s in slopes])
            assert torch.allclose(sent[key], expected, atol=1e-6)

    @pytest.mark.parametrize("reach", ["columns", "rows"])
    def test_what_one_factor_reaches_is_reproduced_exactly(self, reach):
        history = {k: g[0] for k, g in random_gradients(seed=5).items()}
        defense = RGP(**LOOSE).informed(Side(moved=history))
        known = defense.release(random_gradients(), generator=seeded()).public
        left, right = known["left"]["weight"], known["right"]["weight"]
        free = torch.randn(3, 8, 30 if reach == "columns" else 40, generator=seeded(4))
        inside = left @ free if reach == "columns" else free.mT @ right
        grads = random_gradients() | {"weight": inside}
        release = defense.release(grads, generator=seeded())
        for name, value in release.update.items():
            assert torch.allclose(value, grads[name].mean(0), atol=1e-5)
        other = defense.release(random_gradients(), generator=seeded()).update
        assert distance(other, {k: g.mean(0) for k, g in random_gradients().items()}) > 1

    def test_factors_follow_the_course_of_the_weights(self):
        draw = seeded(6)
        course = torch.randn(40, 3, generator=draw) @ torch.randn(3, 30, generator=draw)
        moved = {"weight": course + 1e-4 * torch.randn(40, 30, generator=draw)}
        like = {k: g[0] for k, g in random_gradients().items()}
        for iterations, tolerance in ((1, 1e-2), (3, 1e-3)):
            defense = RGP(rank=3, iterations=iterations).informed(Side(moved=moved))
            plan = defense.plan(like, step=0, steps=1, generator=seeded())
            left, right = plan["left"]["weight"], plan["right"]["weight"]
            assert torch.allclose(left.T @ left, torch.eye(3), atol=1e-5)
            assert torch.allclose(right @ right.T, torch.eye(3), atol=1e-5)
            lost = course - left @ left.T @ course @ right.T @ right
            assert float(lost.norm() / course.norm()) < tolerance

    @pytest.mark.parametrize("moved", [None, {"weight": torch.zeros(40, 30)}])
    def test_factors_are_random_before_the_first_step(self, moved):
        like = {k: g[0] for k, g in random_gradients().items()}
        defense = RGP().informed(Side(moved=moved))
        first, second = (
            defense.plan(like, step=0, steps=1, generator=seeded(s))["left"]["weight"]
            for s in (0, 1)
        )
        assert torch.allclose(first.T @ first, torch.eye(8), atol=1e-5)
        assert float((first.T @ second).norm()) < 0.8 * math.sqrt(8)

    @pytest.mark.parametrize(("rank", "factored"), [(8, True), (17, True), (18, False)])
    def test_only_what_gets_smaller_is_factored(self, rank, factored):
        # 40 x 30 has 1200 coordinates; its carriers have 70 for each rank.
        release = RGP(rank=rank).release(random_gradients(), generator=seeded())
        assert ("weight" in release.public["left"]) == factored
        assert "bias" not in release.public["left"]
        assert release.wire_bytes == 4 * (40 + (70 * rank if factored else 1200))

    @pytest.mark.parametrize("rate", [0.0, 0.6])
    def test_noise_is_calibrated_along_every_direction_of_the_update(self, rate):
        defense = RGP(noise_multiplier=2.0, clip=0.5, rate=rate)
        right_side, left_side, whole = [], [], []
        for seed in range(60):
            empty = random_gradients(batch=0)
            release = defense.release(empty, batch_size=4, generator=seeded(seed))
            left, right = (release.public[s]["weight"] for s in ("left", "right"))
            value = release.update["weight"]
            mask = release.public.get("carrier_mask", {})
            # L^T U is the noisy dR; off L's columns, U R^T is dL; off both there is nothing.
            wide = left.T @ value
            tall = torch.linalg.qr(left, mode="complete").Q[:, 8:].T @ value @ right.T
            off = value - left @ left.T @ value
            assert float((off - off @ right.T @ right).abs().max()) < 1e-5
            if rate:
                assert float(wide[~mask["weight.right"]].abs().max()) < 1e-5
                assert not release.update["bias"][~mask["bias"]].any()
                wide = wide[mask["weight.right"]]
            else:
                left_side.append(tall.flatten())
            right_side.append(wide.flatten())
            whole.append(release.update["bias"][mask.get("bias", torch.ones(40).bool())])
        assert release.public["noise_std"] == 0.25
        for values in (right_side, left_side, whole):
            if values:
                found = torch.cat(values)
                spread = float(found.square().mean().sqrt())
                assert spread == pytest.approx(0.25, rel=5 / math.sqrt(2 * len(found)))

    @pytest.mark.parametrize("rate", [0.0, 0.6])
    def test_all_carriers_of_an_example_are_clipped_together(self, rate):
        defense = RGP(noise_multiplier=0.0, clip=0.7, rate=rate)
        for scale in (1e-3, 1.0, 1e5):
            grads = random_gradients(batch=1, scale=scale)
            plan = defense.release(grads, generator=seeded()).public
            sent = carriers(grads, plan)
            mask = plan.get("carrier_mask", {k: torch.ones_like(c[0]) for k, c in sent.items()})
            sent = {k: c[0] * mask[k] for k, c in sent.items()}
            norm = float(flat(sent).norm())
            clipped = {k: c * min(1, 0.7 / norm) for k, c in sent.items()}
            expected = lift(clipped, {k: g.shape[1:] for k, g in grads.items()}, plan)
            update = defense.release(grads, generator=seeded()).update
            assert distance(update, expected) < 1e-4 * min(scale, 1)
            # Hence a neighbour moves the update by no more than it may move the carriers.
            assert float(flat(update).norm()) <= min(norm, 0.7) * (1 + 1e-5)

    def test_a_mask_drops_carriers_and_is_counted_on_the_wire(self):
        release = configured("rgp").release(random_gradients(), generator=seeded())
        mask = release.public["carrier_mask"]
        shapes = {"weight.left": (40, 8), "weight.right": (8, 30), "bias": (40,)}
        assert {k: tuple(m.shape) for k, m in mask.items()} == shapes
        kept = sum(int(m.sum()) for m in mask.values())
        assert kept == 600 - int(0.6 * 600)
        assert release.wire_bytes == 4 * kept
        assert "mask" not in release.public  # which would be over the update's coordinates

    def test_epsilon_is_that_of_dpsgd(self):
        setting = {"steps": 100, "sample_rate": 0.02, "delta": 1e-5}
        assert configured("rgp").epsilon(**setting) == configured("dpsgd").epsilon(**setting)
        assert configured("gep").epsilon(**setting) > configured("dpsgd").epsilon(**setting)


@pytest.mark.parametrize("name", BOTH)
class TestBoth:
    @pytest.mark.parametrize("rate", [0.0, 0.6])
    def test_replay_is_the_release_without_noise(self, name, rate):
        defense = configured(name, noise_multiplier=0.0, rate=rate)
        release = defense.release(random_gradients(), generator=seeded())
        again = defense.replay(random_gradients(), release)
        assert distance(release.update, again) < 1e-5
        double = {k: g.double() for k, g in random_gradients().items()}
        assert distance(release.update, defense.replay(double, release)) < 1e-5

    def test_chunks_sum_to_the_batch(self, name):
        defense = configured(name)
        grads = random_gradients(batch=6)
        like = {k: g[0] for k, g in grads.items()}
        plan = defense.plan(like, step=0, steps=1, generator=seeded())
        whole = defense.contribute(grads, plan)
        parts = [defense.contribute({k: g[i::2] for k, g in grads.items()}, plan) for i in (0, 1)]
        assert distance(whole, {k: parts[0][k] + parts[1][k] for k in whole}) < 1e-5
        assert {k: v.shape for k, v in whole.items()} == {k: v.shape for k, v in like.items()}

    def test_masks_cool_down_and_come_from_the_shared_seed(self, name):
        defense = configured(name)
        shared = dataclasses.replace(defense.side, mask_seed=4, sample_rate=0.5)
        defense = defense.informed(shared)
        key = "mask" if name == "gep" else "carrier_mask"
        like = {k: g[0] for k, g in random_gradients().items()}
        plans = [
            defense.plan(like, step=t, steps=6, generator=seeded(s))
            for t, s in ((0, 0), (1, 1), (4, 0), (5, 1))
        ]
        assert [p["rate"] for p in plans] == [0, 0, 0.6, 0.6]
        assert all(m.all() for m in plans[0][key].values())
        assert torch.equal(flat(plans[2][key]), flat(plans[3][key]))
        assert not flat(plans[2][key]).all()

    def test_a_release_of_unknown_projection_is_refused_in_one_line(self, name):
        defense = configured(name)
        release = defense.release(random_gradients(), generator=seeded())
        bare = dataclasses.replace(release, public=defense.public(3))
        with pytest.raises(BadInput, match=f"does not say the .* that {name} projected on"):
            defense.replay(random_gradients(), bare)

    def test_gradients_of_a_convolutional_network(self, name, lenet, photos):
        public, private = (
            victims.per_example_gradients(lenet, cross_entropy, photos.images[i], photos.labels[i])
            for i in (slice(0, 8), slice(8, 11))
        )
        defense = configured(name, **LOOSE).informed(Side(anchors=public))
        release = defense.release(private, generator=seeded())
        assert distance(release.update, defense.replay(private, release)) < 1e-4
        lost = distance(release.update, {k: g.mean(0) for k, g in private.items()})
        assert 0 < lost <= float(flat({k: g.mean(0) for k, g in private.items()}).norm())
