"""GEP: the public subspace, what is bounded in it and beside it, and where the noise falls."""

from __future__ import annotations

import math

import pytest
import torch

from defenses import BadInput, Side
from defenses.methods.gep import GEP, subspace
from tests.conftest import random_gradients, seeded
from tests.defenses.updates import flat


def mixed(batch, rows, seed=3):
    """Per-example gradients inside the span, tensor by tensor, of the given ones."""
    weights = torch.randn(batch, len(rows["bias"]), generator=seeded(seed))
    return {k: torch.tensordot(weights, g, 1) for k, g in rows.items()}


class TestGEP:
    public = random_gradients(batch=6, seed=77)

    def gep(self, **options):
        chosen = {"noise_multiplier": 0.0, "basis": 200, **options}
        return GEP(**chosen).informed(Side(anchors=self.public))

    @pytest.mark.parametrize("rate", [0.0, 0.7])
    def test_basis_is_orthonormal_and_vanishes_on_dropped_coordinates(self, rate):
        release = self.gep(rate=rate).release(random_gradients(), generator=seeded())
        for name, rows in release.public["basis"].items():
            assert torch.allclose(rows @ rows.T, torch.eye(len(rows)), atol=1e-5)
            assert len(rows) == 6  # no more than public examples
            if rate:
                assert not rows[:, ~release.public["mask"][name].flatten()].any()
        assert ("mask" in release.public) == bool(rate)

    def test_power_iteration_finds_the_principal_directions(self):
        scales = torch.tensor([9.0, 5.0, 3.0, 0.1, 0.1, 0.1])[:, None]
        rows = scales * torch.linalg.qr(torch.randn(50, 6, generator=seeded())).Q.T
        found = subspace(1e-25 * rows, 3, 4, seeded(1))
        top = torch.linalg.svd(rows, full_matrices=False).Vh[:3]
        assert torch.allclose(found.T @ found, top.T @ top, atol=1e-4)

    def test_dimensions_are_shared_by_the_root_of_the_sizes(self):
        big = random_gradients(batch=64, seed=1)
        defense = GEP(basis=40).informed(Side(anchors=big))
        plan = defense.plan({k: g[0] for k, g in big.items()}, step=0, steps=1, generator=seeded())
        # sqrt(1200) : sqrt(40) is 34.6 : 6.3.
        assert {k: len(b) for k, b in plan["basis"].items()} == {"weight": 34, "bias": 6}

    @pytest.mark.parametrize("rate", [0.0, 0.5])
    def test_gradients_in_the_public_span_leave_no_residual(self, rate):
        grads = mixed(4, self.public)
        defense = self.gep(clip=20.0, residual_clip=1e-6, rate=rate)
        release = defense.release(grads, generator=seeded())
        mask = release.public.get("mask", {k: torch.ones_like(g[0]) for k, g in grads.items()})
        kept = {k: (g * mask[k]).flatten(1) for k, g in grads.items()}
        norms = torch.stack([g.square().sum(1) for g in kept.values()]).sum(0).sqrt()
        assert (norms > 20).any()
        factors = (20 / norms).clamp(max=1)
        for name, value in release.update.items():
            expected = (factors[:, None] * kept[name]).mean(0)
            assert torch.allclose(value.flatten(), expected, atol=1e-4)

    def test_embedding_and_residual_are_clipped_apart(self):
        grads = random_gradients(batch=1)
        release = self.gep(clip=0.5, residual_clip=0.3).release(grads, generator=seeded())
        parts = {k: b @ release.update[k].flatten() for k, b in release.public["basis"].items()}
        assert float(flat(parts).norm()) == pytest.approx(0.5, rel=1e-4)
        assert float(flat(release.update).norm()) == pytest.approx(math.hypot(0.5, 0.3), rel=1e-4)

    @pytest.mark.parametrize("rate", [0.0, 0.5])
    def test_noise_is_calibrated_inside_and_outside_the_subspace(self, rate):
        defense = self.gep(noise_multiplier=2.0, clip=0.5, residual_clip=0.25, rate=rate)
        inside, outside, stated = [], [], None
        for seed in range(60):
            empty = random_gradients(batch=0)
            release = defense.release(empty, batch_size=4, generator=seeded(seed))
            stated = release.public["noise_std"]
            for name, rows in release.public["basis"].items():
                value = release.update[name].flatten()
                inside.append(rows @ value)
                if rate:
                    keep = release.public["mask"][name].flatten()
                    assert not value[~keep].any()
                    rows, value = rows[:, keep], value[keep]
                # Orthonormal coordinates of the complement.
                rest = torch.linalg.qr(rows.T, mode="complete").Q[:, len(rows) :]
                outside.append(value @ rest)
        assert stated == 2.0 * 0.25 / 4
        within = math.hypot(2.0 * 0.5 / 4, stated)
        for values, std in ((torch.cat(inside), within), (torch.cat(outside), stated)):
            spread = float(values.square().mean().sqrt())
            assert spread == pytest.approx(std, rel=5 / math.sqrt(2 * len(values)))

    def test_one_example_moves_the_scaled_parts_by_less_than_the_root_of_two(self):
        defense = self.gep(clip=0.7, residual_clip=0.2)
        batch = random_gradients(batch=5)
        base = defense.release(batch, batch_size=1, generator=seeded()).update
        basis = defense.release(batch, generator=seeded()).public["basis"]
        spans = mixed(1, self.public)
        outside = {
            k: (g - (g.flatten(1) @ basis[k].T @ basis[k]).view_as(g))
            for k, g in random_gradients(batch=1, seed=8).items()
        }
        worst = {k: 1e3 * (spans[k] + outside[k]) for k in batch}
        along = {k: -1e4 * g.sum(0, keepdim=True) for k, g in batch.items()}
        for one in (worst, along, spans, outside):
            more = {k: torch.cat([g, one[k]]) for k, g in batch.items()}
            update = defense.release(more, batch_size=1, generator=seeded()).update
            gap = {k: (update[k] - base[k]).flatten() for k in base}
            part = {k: basis[k] @ g for k, g in gap.items()}
            rest = {k: g - basis[k].T @ part[k] for k, g in gap.items()}
            moved = math.hypot(flat(part).norm() / 0.7, flat(rest).norm() / 0.2)
            assert moved <= math.sqrt(2) * (1 + 1e-4)
            if one is worst:
                assert moved == pytest.approx(math.sqrt(2), rel=1e-3)  # the bound is tight
        assert GEP(noise_multiplier=1.0).effective_noise() == pytest.approx(math.sqrt(0.5))

    @pytest.mark.parametrize(
        ("anchors", "message"),
        [
            (None, "gep needs public data: --public"),
            ({}, "gep needs public data"),
            (random_gradients(batch=0), "gep needs public data"),
            ({"weight": torch.ones(2, 40, 30)}, "not those of this model"),
            ({"weight": torch.ones(2, 40, 30), "bias": torch.ones(2, 4)}, "not those of this"),
            ({"weight": torch.ones(2, 40, 30), "bias": torch.full((2, 40), math.nan)}, "NaN"),
        ],
    )
    def test_unusable_public_gradients_are_refused_in_one_line(self, anchors, message):
        defense = GEP().informed(Side(anchors=anchors))
        with pytest.raises(BadInput, match=message) as error:
            defense.release(random_gradients(), generator=seeded())
        assert "\n" not in str(error.value)

    def test_dead_public_gradients_and_fully_dropped_tensors_do_no_harm(self):
        anchors = {"a": torch.zeros(3, 50), "b": torch.randn(3, 1, generator=seeded())}
        defense = GEP(noise_multiplier=0.0, rate=0.9, cooling=False).informed(Side(anchors=anchors))
        grads = {"a": torch.ones(2, 50), "b": torch.ones(2, 1)}
        for seed in range(4):
            release = defense.release(grads, generator=seeded(seed))
            assert all(torch.isfinite(v).all() for v in release.update.values())
            assert release.wire_bytes == 4 * 6
