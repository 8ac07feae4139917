"""What a batch gives while some of its examples have no finite gradient."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from defenses import BadInput
from tests.conftest import seeded
from tests.zoo.specimen import TRAINING, mlp, private
from victims.gradients import per_example_gradients
from victims.training.contributions import sum_together
from victims.training.plan import make_plan
from victims.training.trainer import Trainer


def trainer_of(name, net=None, **options):
    inputs, labels = private()
    training = dataclasses.replace(TRAINING, defense=name, defense_options=options)
    public = inputs[:8] / 2, labels[:8]
    return Trainer(make_plan(training, len(labels)), net or mlp(), inputs, labels, public)


def spoilt(trainer, bad, place=2, count=8):
    images, labels = trainer.inputs[:count].clone(), trainer.labels[:count]
    images[place, 0, 1, 1] = bad
    kept = torch.arange(count) != place
    return (images, labels), (images[kept], labels[kept])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "name",
    [
        *("none", "gaussian", "topk", "sign", "dpsgd", "dprs", "perlayer", "adaptive", "gep"),
        *("rgp", "dpsgd+topk", "tests.defenses.test_finite:Parent"),
    ],
)
def test_a_step_is_that_of_the_batch_without_the_example(name, bad):
    trainer = trainer_of(name)
    whole, less = spoilt(trainer, bad)
    made, expected = (trainer.release(*batch, seeded()) for batch in (whole, less))
    for key, value in expected.update.items():
        assert value.isfinite().all()
        assert torch.allclose(made.update[key], value, rtol=1e-5, atol=1e-7)


def test_factors_are_in_use_where_the_examples_are_left_out():
    assert trainer_of("dpsgd").network.outer  # or the test above would not try them


def test_views_are_left_out_with_their_example():
    trainer = trainer_of("none")
    (images, labels), (kept, names) = spoilt(trainer, math.nan)
    twice, less = (x[:, None].repeat(1, 2, 1, 1, 1) for x in (images, kept))
    made, expected = (
        trainer.release(*batch, seeded()).update for batch in ((twice, labels), (less, names))
    )
    assert all(torch.allclose(made[k], v, atol=1e-6) for k, v in expected.items())


def test_a_defense_without_a_guarantee_says_when_no_gradient_is_finite():
    trainer = trainer_of("none")
    images = torch.full_like(trainer.inputs[:4], math.nan)
    with pytest.raises(BadInput, match="holds NaN or infinite values"):
        trainer.release(images, trainer.labels[:4], seeded())
    silent = trainer_of("dpsgd", noise_multiplier=1.0, clip=1.0)
    made, empty = (
        silent.release(images[:count], silent.labels[:count], seeded()).update for count in (4, 0)
    )
    assert all(torch.equal(made[k], v) for k, v in empty.items())


def test_batchnorm_cannot_tell_the_examples_apart_and_says_so():
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    trainer = trainer_of("none", net)
    whole, _ = spoilt(trainer, math.nan)
    with pytest.raises(BadInput, match="holds NaN or infinite values"):
        trainer.release(*whole, seeded())


def test_a_finite_batch_takes_one_backward_pass():
    trainer = trainer_of("none")
    images, labels = trainer.inputs[:5], trainer.labels[:5]
    (total,) = sum_together(trainer.net, trainer.parameters, images, labels)
    each = per_example_gradients(trainer.net, cross_entropy, images, labels)
    assert all(torch.allclose(total[k][0], g.sum(0), atol=1e-6) for k, g in each.items())
    assert list(sum_together(trainer.net, trainer.parameters, images[:0], labels[:0])) == []
