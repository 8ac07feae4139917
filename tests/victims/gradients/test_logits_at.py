"""Whoever asks a model at other weights leaves it as it was, also where a module has two names."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Threat
from attacks.invert.methods.sme import SME
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.updates.scores import of_upload
from attacks.membership.updates.watch import Seen
from tests.conftest import configured, seeded
from tests.odd_models import Plain
from victims.federated.victim import Victim
from victims.gradients import LocalSteps, gradient_chunks
from victims.gradients.logits_at import logits_at
from victims.gradients.one_pass import one_pass
from victims.gradients.per_example import frozen_parameters, trainable_parameters
from victims.training import Training
from victims.training.logits import logits
from victims.training.prepare import prepare
from victims.training.trainer import Trainer

IMAGES = torch.rand(4, 1, 8, 8, generator=seeded())
LABELS = torch.arange(4)
STEPS = LocalSteps(2, 0.1, 2)


def plainly(shape=(1, 8, 8), classes=10):
    """One hidden layer, used twice by layers that torch's vmap is known to handle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        again = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        enter, leave = nn.Linear(64, 8), nn.Linear(8, classes)
    return nn.Sequential(nn.Flatten(), enter, again, again, leave)


class Oddly(Plain):
    """The same module under two names, a buffer in it, in a model of a user's own."""

    def __init__(self, shape=(1, 8, 8), classes=10):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            super().__init__(shape, classes)
            self.first = self.second = nn.Linear(12, 12)
            self.first.register_buffer("scale", torch.ones(()))

    def forward(self, x):
        x = torch.tanh(self.a(x.flatten(1)))
        return self.b(self.second(torch.tanh(self.first(x))) * self.first.scale)


def trainer(model):
    """In training, with the model given."""
    training = Training(data="digits", count=4, model="mlp", defense="none", batch_size=2)
    return Trainer(prepare(training).trainer.plan, model, IMAGES.clone(), LABELS)


def moved(model):
    """Other weights, by name."""
    return {k: p.detach() + 0.1 for k, p in model.named_parameters()}


def in_lockstep(model):
    run = Lockstep([trainer(model)])
    before = tensors(model)
    run.advance()
    assert same_tensors(before, tensors(model))


def of_an_upload(model):
    seen = Seen(0, 0, moved(model), {k: torch.ones_like(v) for k, v in moved(model).items()})
    of_upload(model, seen, IMAGES, LABELS)


def by_sme(model):
    """The guess of an attack that asks a copy of the model at weights that it moves."""
    shown = victims.per_example_gradients(model, cross_entropy, IMAGES[:1], LABELS[:1])
    release = configured("none").release(shown, generator=seeded())
    threat = Threat(configured("none"), True, (1, 8, 8), 10, 1, IMAGES[1:], LABELS[1:])
    return SME(iterations=3).reconstruct(model, cross_entropy, release, threat, generator=seeded())


def in_a_federation(model):
    test = dataclasses.replace(victims.load_data("digits", count=4), images=IMAGES, labels=LABELS)
    Victim(None, test, test, LABELS, model, {}, "").correct(moved(model))


def in_one_pass(model):
    weights, fixed = trainable_parameters(model), frozen_parameters(model)
    one_pass(model, cross_entropy, weights, fixed, IMAGES, LABELS)


ACTS = {
    "logits_at": lambda m: logits_at(m, moved(m), IMAGES),
    "per_example_gradients": lambda m: victims.per_example_gradients(
        m, cross_entropy, IMAGES, LABELS
    ),
    "gradient_chunks": lambda m: list(gradient_chunks(m, cross_entropy, IMAGES, LABELS)),
    "one_pass": in_one_pass,
    "LocalSteps.difference": lambda m: STEPS.difference(m, cross_entropy, IMAGES, LABELS),
    "LocalSteps.differences": lambda m: STEPS.differences(
        m, cross_entropy, IMAGES[None], LABELS[None]
    ),
    "Network.correct": lambda m: trainer(m).network.correct(moved(m), IMAGES, LABELS),
    "logits": lambda m: logits(trainer(m), IMAGES, 1),
    "Victim.correct": in_a_federation,
    "of_upload": of_an_upload,
    "sme": by_sme,
    "Lockstep.advance": in_lockstep,
}
MOVES = {"of_upload", "Lockstep.advance"}
"""Those that overwrite the values of parameters, as they say."""


def tensors(model):
    """(name, tensor) of everything that stands in a model, under all of its names."""
    return [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]


def same_tensors(before, after):
    """Whether two lists of names and tensors hold the same objects."""
    return [(k, id(v)) for k, v in before] == [(k, id(v)) for k, v in after]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("build", [plainly, Oddly])
def test_a_module_of_two_names_keeps_its_tensors(act, build):
    model = build()
    held, values = tensors(model), {k: v.detach().clone() for k, v in tensors(model)}
    ACTS[act](model)
    assert same_tensors(held, tensors(model))
    if act not in MOVES:
        assert all(torch.equal(v, values[k]) for k, v in tensors(model))


class Once(Oddly):
    """`Oddly`, but for the second name."""

    def __init__(self, shape=(1, 8, 8), classes=10):
        super().__init__(shape, classes)
        del self.second

    def forward(self, x):
        x = torch.tanh(self.first(torch.tanh(self.a(x.flatten(1)))))
        return self.b(self.first(x) * self.first.scale)


def test_an_attack_on_a_module_of_two_names_is_that_on_one_name():
    twice, once = by_sme(Oddly()), by_sme(Once())
    assert torch.equal(twice.images, once.images)
    assert twice.energy == once.energy


def test_a_model_that_fails_has_its_tensors_too():
    model = Oddly()
    held = tensors(model)
    with pytest.raises(RuntimeError):
        logits_at(model, moved(model), torch.zeros(1, 1, 3, 3))
    assert same_tensors(held, tensors(model))


class Counting(nn.Module):
    """Makes a new buffer of every pass."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + len(x)
        return self.layer(x)


def test_what_the_pass_itself_puts_into_a_module_stays():
    one = Counting()
    model = nn.Sequential(one, one)
    given = moved(model)
    found = logits_at(model, given, torch.ones(3, 2))
    assert int(one.seen) == 6
    assert all(isinstance(p, nn.Parameter) for _, p in tensors(model)[:4])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(given[name])
    assert torch.equal(found, model(torch.ones(3, 2)))
