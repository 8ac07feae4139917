"""What is particular to each defense of the catalogue, and the attacks that break them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

import defenses
from attacks import invert
from attacks.invert import Threat
from defenses import Side
from tests.conftest import configured, seeded


@pytest.mark.parametrize(
    ("name", "options", "gain"),
    [
        ("sign", {}, 6),
        ("prune", {"rate": 0.9}, 10),
        ("soteria", {}, 15),
        ("randk", {"rate": 0.99, "rounds": 300}, 10),
        ("perlayer", {"noise_multiplier": 1e-3}, 10),
        ("quantize", {"bits": 2}, 4),
    ],
)
def test_the_attack_that_knows_the_defense_breaks_it(name, options, gain, digit):
    """Decibels that replaying the defense gains over ignoring it, on one image, briefly."""
    model, private, grads, known = digit
    shield = defenses.get(name, **options)
    release = shield.release(grads, generator=seeded())
    reached = []
    for adaptive in (False, True):
        threat = Threat(defense=shield, adaptive=adaptive, **known)
        guess = invert.get("bayes", iterations=25).reconstruct(
            model, cross_entropy, release, threat, generator=seeded(7)
        )
        reached.append(-10 * math.log10(float((guess.images - private.images).square().mean())))
    assert reached[1] > reached[0] + gain


@pytest.mark.parametrize("name", defenses.names())
def test_a_parameter_without_axes_is_released_and_replayed(name):
    def gradients(batch: int, seed: int) -> dict[str, torch.Tensor]:
        draw = seeded(seed)
        rows = torch.randn(batch, 6, 5, generator=draw)
        return {"weight": rows, "scale": torch.randn(batch, generator=draw)}

    defense, grads = configured(name), gradients(4, 0)
    public = gradients(8, 1)
    known = {"anchors": public, "moved": {k: g[0] for k, g in public.items()}}
    if defense.wants & known.keys():
        defense = defense.informed(Side(**{k: v for k, v in known.items() if k in defense.wants}))
    release = defense.release(grads, step=0, steps=2, generator=seeded())
    replayed = defense.replay(grads, release)
    for made in (release.update, replayed):
        assert made["scale"].shape == ()
        assert made["weight"].shape == (6, 5)
        assert all(torch.isfinite(v).all() for v in made.values())
