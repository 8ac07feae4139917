"""Whatever is private is computed in whole float32, and the user's switches stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import invert
from attacks.membership.shadows.lockstep import Lockstep
from defenses.precision import full_precision
from tests.conftest import configured, random_gradients, seeded
from tests.device.test_memberships import trainers

HABITS = {
    "as torch comes": lambda: None,
    "convolutions off": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "products on": lambda: torch.set_float32_matmul_precision("medium"),
}


def switches():
    """As torch tells its older switches, and, where it has them, its newer."""
    backends = torch.backends
    found = [backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()]
    if hasattr(backends.cudnn, "conv"):
        found += [backends.cudnn.conv.fp32_precision, backends.cuda.matmul.fp32_precision]
    return found


def shortens():
    return torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32


@pytest.fixture(params=HABITS)
def before(request):
    """The switches as a user has set them."""
    precision, convolutions = (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
    )
    HABITS[request.param]()
    yield switches()
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = convolutions


def test_the_switches_are_held_and_given_back(before):
    with full_precision():
        assert not shortens()
        with full_precision(), torch.backends.cudnn.flags(enabled=False):
            pass
        assert not shortens()
    assert switches() == before
    with pytest.raises(ZeroDivisionError), full_precision():
        raise ZeroDivisionError
    assert switches() == before


def seen_in(model):
    """What the switches were at each forward pass of a model."""
    seen = []
    model.register_forward_pre_hook(lambda *_: seen.append(shortens()))
    return seen


@pytest.mark.parametrize("name", ["none", "dpsgd"])
def test_a_step_is_whole_and_the_switches_are_given_back(name):
    before = switches()
    one, *rest = trainers("cpu", defense=name)
    seen = seen_in(one.net)
    one.advance()
    Lockstep(rest).advance()
    assert seen
    assert not any(seen)
    assert switches() == before


def test_gradients_and_what_a_defense_makes_of_them_are_whole():
    before = switches()
    model = victims.load_model("lenet").eval()
    seen = seen_in(model)
    images, labels = torch.rand(2, 3, 32, 32, generator=seeded()), torch.tensor([0, 4])
    victims.per_example_gradients(model, cross_entropy, images, labels)

    @dataclass(frozen=True)
    class Looking(defenses.Summed):
        def contribute(self, grads, plan):
            seen.append(shortens())
            return {k: g.sum(0) for k, g in grads.items()}

    Looking().release(random_gradients(batch=2), generator=seeded())
    assert len(seen) >= 2
    assert not any(seen)
    assert switches() == before


@pytest.mark.parametrize("name", ["geiping", "peel"])
def test_an_inversion_replays_whole(name, observe):
    before = switches()
    model = victims.load_model("mlp")
    release, threat, _, _ = observe(model, configured("none"))
    seen = seen_in(model)
    attack = invert.get(name, **({"iterations": 2} if name == "geiping" else {}))
    attack.reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert seen
    assert not any(seen)
    assert switches() == before
