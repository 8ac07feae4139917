"""What acts before the gradient, of single defenses and of chains."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

import defenses
from defenses import Before, preprocessing
from tests.attacks.invert.seen import seen_by
from tests.conftest import random_gradients, seeded


def test_ways_multiply(photos):
    @dataclasses.dataclass(frozen=True)
    class Mirrored(Before):
        def ways(self) -> int:
            return 2

        def view(self, images: Tensor, way: int) -> Tensor:
            return images.flip(-1) if way else images

    chain = defenses.get("ats+precode")
    both = dataclasses.make_dataclass("Both", [], bases=(type(chain),), frozen=True)
    both.parts = (("m", Mirrored, ()), *chain.parts[:1])
    assert preprocessing.ways(both(chain.policy)) == 32
    image = photos.images[:1]
    every = torch.cat([preprocessing.view(both(chain.policy), image, w) for w in range(32)])
    assert len(every.unique(dim=0)) == 32


def test_of_a_release_whose_layers_compete_nothing_is_left_out(guarded, photos, auxiliary):
    for name, kept in (("precode+quantize", False), ("precode+dssgd", True)):
        defense = defenses.get(name)
        release = seen_by(guarded, defense, photos, auxiliary)[0]
        left = preprocessing.solve(defense, guarded, release)[1]
        assert (left.update.keys() == release.update.keys()) is kept, name


@pytest.mark.parametrize("name", [n for n in defenses.names() if n not in ("gep", "rgp")])
def test_a_layer_may_be_left_out_where_layers_are_handled_apart(name):
    """`preprocessing.solve` relies on it when it leaves the bottleneck out of the matching."""
    defense = defenses.get(name)
    if not (isinstance(defense, defenses.Summed) and defense.linear and defense.apart):
        return
    grads = random_gradients(batch=2)
    release = defense.release(grads, generator=seeded())
    whole = defense.replay(grads, release)
    part = {"weight": grads["weight"]}
    less = dataclasses.replace(release, update={"weight": release.update["weight"]})
    if name != "soteria":  # one layer is its last linear one either way
        assert torch.allclose(defense.replay(part, less)["weight"], whole["weight"])
