"""A defense lets out the same on a device as on the CPU, and only its noise travels there."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

import defenses
from attacks.invert.victim import Victim
from defenses import Side, Summed, preprocessing
from defenses.outer import Outer
from tests.conftest import SHARED_OPTIONS, random_gradients, seeded
from tests.device.pretend import BACK, READ, THERE, counted
from victims.models import load_defended

NAMES = defenses.names()


def configured(name, device):
    """As `tests.conftest.configured`, with side information on a device."""
    fields = defenses.registry.find(name).__dataclass_fields__
    defense = defenses.get(name, **{k: v for k, v in SHARED_OPTIONS.items() if k in fields})
    public = moved(random_gradients(batch=8, seed=77), device)
    known = {"anchors": public, "moved": {k: g[0] for k, g in public.items()}, "memory": {}}
    side = {k: v for k, v in known.items() if k in defense.wants}
    return defense.informed(Side(**side)) if side else defense


def moved(tensors, device):
    return {k: v.to(device) for k, v in tensors.items()}


def close(found, expected, rtol=1e-4, atol=1e-5):
    assert found.keys() == expected.keys()
    for key, value in found.items():
        torch.testing.assert_close(value.cpu(), expected[key].cpu(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", NAMES)
def test_a_release_and_its_replay_are_those_of_the_cpu(name, device):
    grads = random_gradients(batch=4)
    far = moved(grads, device)
    here, there = configured(name, "cpu"), configured(name, device)
    for step in (0, 3):
        expected = here.release(grads, step=step, steps=5, generator=seeded(step))
        found = there.release(far, step=step, steps=5, generator=seeded(step))
        assert all(v.device == far[k].device for k, v in found.update.items())
        close(found.update, expected.update)
        assert found.wire_bytes == expected.wire_bytes
        close(there.replay(far, found), here.replay(grads, expected))
        assert there.noise(found) == pytest.approx(here.noise(expected), rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_private_comes_back_to_the_cpu(name, device):
    far = moved(random_gradients(batch=4), device)
    defense = configured(name, device)
    with counted() as crossings:
        defense.release(far, step=1, steps=5, generator=seeded())
    assert crossings[BACK] == 0
    assert crossings[THERE] <= 4 * len(far)
    assert crossings[READ] <= 8 * len(far)


@pytest.mark.parametrize("name", ["ats", "precode", "soteria"])
def test_a_victim_under_a_defense_gives_the_same_gradients(name, device):
    fields = defenses.registry.find(name).__dataclass_fields__
    defense = defenses.get(name, **{k: v for k, v in SHARED_OPTIONS.items() if k in fields})
    model = load_defended(
        "lenet5",
        defense,
        seed=0,
        layers="all",
        image_shape=(3, 32, 32),
        classes=10,
        weights=None,
    )
    model = preprocessing.let_draw(model)
    images, labels = torch.rand(2, 3, 32, 32, generator=seeded()), torch.tensor([1, 7])
    here = Victim(model, cross_entropy, defense)
    there = Victim(copy.deepcopy(model).to(device), cross_entropy, defense)
    expected = here.gradients(images, labels, generator=seeded())
    pair = images.to(device), labels.to(device)
    found = there.gradients(*pair, generator=seeded())
    if name != "precode":  # which draws where it computes
        close(found, expected, rtol=1e-3)


@pytest.mark.parametrize("name", [n for n in NAMES if n in ("dpsgd", "dprs")])
def test_factored_gradients_give_the_sum_of_whole_ones(name, device):
    defense = configured(name, device)
    assert isinstance(defense, Summed) and defense.takes_factors()
    slope, inputs = (torch.randn(4, n, generator=seeded(n)).to(device) for n in (6, 9))
    whole = {"w": slope[:, :, None] * inputs[:, None]}
    plan = defense.plan({"w": whole["w"][0]}, step=0, steps=5, generator=seeded())
    close(defense.contribute({"w": Outer(slope, inputs)}, plan), defense.contribute(whole, plan))
