"""The first layer and the one behind the logits are found by what runs, not by their order."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import victims
from attacks import invert
from attacks.invert.matching.layers import behind_logits, fed_with_pixels
from reports.scores import psnr
from tests.conftest import configured, seeded


class Shuffled(nn.Module):
    """Two layers that run, between two that do not, listed last first."""

    def __init__(self, wrap=lambda layer: layer, soft=False):
        super().__init__()
        self.spare = nn.Linear(192, 4)
        self.last = nn.Linear(32, 4)
        self.first = wrap(nn.Linear(192, 32))
        self.other = nn.Linear(32, 4)
        self.soft = soft

    def forward(self, x):
        logits = self.last(torch.tanh(self.first(2 * x.flatten(1) - 1)))
        return logits.log_softmax(1) if self.soft else logits


def build(**options):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Shuffled(**options)


SHAPE = (3, 8, 8)
IMAGES = torch.rand(12, *SHAPE, generator=seeded(1))


def attack(model, name="auto", batch=1, **known):
    labels = torch.arange(batch) % 4
    shield = configured("none")
    grads = victims.per_example_gradients(model, cross_entropy, IMAGES[:batch], labels)
    release = shield.release(grads, generator=seeded())
    own = IMAGES[4:], torch.arange(8) % 4
    threat = invert.Threat(shield, True, SHAPE, 4, batch, *own, **known)
    short = invert.get(name, **({"iterations": 5, "practice": 0} if name == "auto" else {}))
    if refused := short.refusal(model, threat):
        return refused
    return short.reconstruct(model, cross_entropy, release, threat, generator=seeded())


@pytest.mark.parametrize("soft", [False, True])
def test_layers_are_found_among_unused_ones_in_any_order(soft):
    model = build(soft=soft)
    last = behind_logits(model, IMAGES, 4)
    assert (last.bias, last.weight) == ("last.bias", "last.weight")
    fed = fed_with_pixels(model, SHAPE, 4)
    assert (fed.weight, fed.bias) == ("first.weight", "first.bias")
    assert torch.allclose(fed.offset, -torch.ones(192).double(), atol=1e-3)
    assert torch.allclose(fed.scale, 2 * torch.ones(192).double(), atol=1e-3)


def test_unused_layers_do_not_hide_the_image_or_its_label():
    guess = attack(build())
    assert psnr(guess.images, IMAGES[:1]).item() == 60
    assert (guess.attack, guess.labels.tolist()) == ("analytic", [0])


def test_labels_of_a_batch_are_counted_on_the_bias_behind_the_logits():
    assert attack(build(), batch=4).labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("wrap", [spectral_norm, weight_norm, lambda m: m.requires_grad_(False)])
def test_a_first_layer_that_is_parametrised_or_frozen_is_left_to_other_attacks(wrap):
    model = build(wrap=wrap).eval()
    assert fed_with_pixels(model, SHAPE, 4) is None
    assert "is not linear with a bias, or is not trained" in attack(model, "analytic")
    guess = attack(model)
    assert (guess.attack != "analytic", guess.labels.tolist()) == (True, [0])


def test_a_parametrised_last_layer_is_none_that_the_label_can_be_read_off():
    model = build()
    model.last = weight_norm(model.last)
    last = behind_logits(model, IMAGES, 4)
    assert (last.bias, last.weight) == ("last.bias", None)


def test_looking_at_a_model_draws_nothing_from_the_global_generator():
    model = nn.Sequential(build(), nn.Dropout(0.5)).train()
    before = torch.random.get_rng_state()
    behind_logits(model, IMAGES, 4)
    assert torch.equal(torch.random.get_rng_state(), before)
