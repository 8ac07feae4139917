"""The bottleneck of PRECODE: its draws, its penalty and its gradients."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.matching.gradients import candidate_gradients
from defenses import preprocessing
from defenses.methods.precode_bottleneck import Bottleneck
from tests.conftest import seeded


def test_the_penalty_is_the_codes_divergence_from_a_normal_one():
    torch.manual_seed(0)
    module = Bottleneck(6, 4, weight=0.7).train()
    x = torch.randn(5, 6)
    mean, spread = module.encoder(x).chunk(2, -1)
    far = kl_divergence(Normal(mean, (1 + spread.exp()).log()), Normal(0.0, 1.0))
    wanted = 0.7 * far.sum(1).mean() / math.log(2)
    module(x)
    assert torch.allclose(preprocessing.take_penalty(nn.Sequential(module)), wanted)
    assert preprocessing.take_penalty(module) == 0  # of one pass, asked once
    with torch.no_grad():
        module(x)
    assert preprocessing.take_penalty(module) == 0


def test_gradients_of_all_kinds_have_the_penalty(photos):
    """By vmap, by the loop that is differentiated again, and by the loss written out."""
    plain = victims.load_model("mlp", classes=photos.classes)
    model = defenses.get("precode", divergence=9.0).equip(plain, seeded()).eval()
    images, labels = photos.images[:2], photos.labels[:2]
    parameters = dict(model.named_parameters())
    many = victims.per_example_gradients(model, cross_entropy, images, labels)
    loop = candidate_gradients(model, cross_entropy, images, labels, differentiable=True)
    for i in range(2):
        loss = cross_entropy(model(images[i : i + 1]), labels[i : i + 1])
        (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
        wanted = torch.autograd.grad(loss + module.penalty, list(parameters.values()))
        for name, value in zip(parameters, wanted, strict=True):
            assert torch.allclose(many[name][i], value, rtol=1e-3, atol=1e-5)
            assert torch.allclose(loop[name][i], value, rtol=1e-3, atol=1e-5)
    assert module.penalty is not None
    assert preprocessing.take_penalty(copy.deepcopy(model)) == 0  # a pass is over for a copy


def test_rows_are_drawn_apart_and_eval_mode_draws_nothing():
    module = Bottleneck(6, 4, weight=0.0)
    same = torch.ones(2, 6)
    first, second = module.train()(same)
    assert not torch.allclose(first, second)
    first, second = module.eval()(same)
    assert torch.allclose(first, second, atol=1e-5)


def test_per_example_gradients_are_those_of_the_loop(guarded, photos):
    model = copy.deepcopy(guarded).eval()
    images, labels = photos.images[:3], photos.labels[:3]
    many = victims.per_example_gradients(model, cross_entropy, images, labels)
    for i in range(3):
        part = slice(i, i + 1)
        one = victims.per_example_gradients(model, cross_entropy, images[part], labels[part])
        assert all(torch.allclose(many[k][part], one[k], atol=1e-5) for k in many)
