from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import defenses
from defenses.gradients import apply_mask, clipped_sum, flat, random_mask, squared_norms
from defenses.implicit import Implicit
from tests.conftest import seeded
from victims.gradients import gradient_chunks
from victims.gradients.implicit_gradients import ImplicitGradients, pass_length
from victims.gradients.layer_rules import RULES
from victims.gradients.one_pass import one_pass
from victims.gradients.watch import Watch
from victims.models.wide_resnets import StandardisedConv


class Widths(nn.Module):
    """Passes its own weight twice, to be tied."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 3, 3, padding=1)
        self.other.weight = self.conv.weight

    def forward(self, x):
        return self.other(self.conv(x).tanh())


class Decayed(nn.Module):
    """A convolution whose weight also acts where no rule sees it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.conv(x) * self.conv.weight.square().sum()


for own in (Widths, Decayed):
    own.__module__ = "victims.tests"  # taken for a model of ours, which mixes no examples


def net(*layers, dtype=torch.float64):
    torch.manual_seed(0)
    made = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(5)).to(dtype)
    made(torch.zeros(1, 3, 8, 8, dtype=dtype))
    return made


def small(dtype=torch.float64):
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(inplace=True)]
    layers += [nn.Conv2d(16, 32, 3, stride=2, bias=False), nn.Tanh(), nn.MaxPool2d(2, 1)]
    layers += [nn.Conv2d(32, 32, 3, padding=2, dilation=2, groups=2), nn.Tanh()]
    layers += [nn.Conv2d(32, 64, 2), nn.Dropout(0.0)]
    return net(*layers, dtype=dtype)


def wide(dtype=torch.float64):
    """Standardised convolutions, one of which has few pixels and a row at the floor of its norm."""
    layers = [StandardisedConv(3, 16, 3, 2), nn.GroupNorm(4, 16), nn.Tanh()]
    layers += [StandardisedConv(16, 32, 3), nn.Tanh(), StandardisedConv(32, 32, 1, 2)]
    made = net(*layers, dtype=dtype)
    with torch.no_grad():
        made[3].weight[0] = 1e-4 * torch.randn(16, 3, 3, generator=seeded())
        made[3].gain[1] = 0
    return made


def batch(count=7, dtype=torch.float64):
    draw = seeded()
    images = torch.rand(count, 3, 8, 8, generator=draw, dtype=torch.float64).to(dtype)
    return images, torch.randint(5, (count,), generator=draw)


def total(chunks, bound, mask=None):
    """Norms (B,) and clipped sum of gradients in chunks."""
    norms, sums = [], {}
    for part in chunks:
        part = part if mask is None else apply_mask(part, mask)
        norms.append(squared_norms(part).sqrt())
        for key, value in clipped_sum(part, bound).items():
            sums[key] = sums.get(key, 0) + value.double()
    return torch.cat(norms), flat(sums)


@pytest.mark.parametrize("make", [small, wide])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_one_pass_gives_the_norms_and_clipped_sums_of_single_examples(dtype, near, masked, make):
    model, (images, labels) = make(), batch()
    mask = random_mask(dict(model.named_parameters()), 0.9, seeded()) if masked else None
    plain = list(gradient_chunks(model, cross_entropy, images, labels))
    bound = float(total(plain, 1.0, mask)[0].median())
    norms, sums = total(plain, bound, mask)
    same = copy.deepcopy(model).to(dtype)
    ours = ImplicitGradients(same, cross_entropy, images.to(dtype), labels)
    assert ours.one_pass
    found, added = total(ours.chunks(images.to(dtype), labels), bound, mask)
    assert torch.allclose(found, norms, rtol=near, atol=0)
    assert (added - sums).norm() <= near * sums.norm()
    assert ours.one_pass


@pytest.mark.parametrize("bad", [float("nan"), 1e30])
def test_an_example_that_is_not_finite_leaves_the_others_sum(bad):
    model, (images, labels) = small(torch.float32), batch(dtype=torch.float32)
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    rest = torch.tensor([0, 1, 3, 4, 5, 6])
    alone = total(ours.chunks(images[rest], labels[rest]), 0.1)[1]
    images[2] = bad
    norms, found = total(ours.chunks(images, labels), 0.1)
    assert ours.one_pass
    if not norms[2].isfinite():
        assert torch.allclose(found, alone, rtol=1e-5, atol=1e-7)
    assert (found - alone).norm() <= 0.1 * (1 + 1e-6)  # one example's clipped gradient at most


def test_no_example_gives_nothing():
    model, (images, labels) = small(), batch()
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    assert list(ours.chunks(images[:0], labels[:0])) == []


def test_frozen_layers_and_weights_without_effect_are_covered():
    model, (images, labels) = small(), batch()
    model[0].weight.requires_grad_(False)
    model[3].requires_grad_(False)
    model[8].register_parameter("idle", nn.Parameter(torch.ones(3, dtype=torch.float64)))
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    assert ours.one_pass
    (found,) = ours.chunks(images, labels)
    (alone,) = gradient_chunks(model, cross_entropy, images, labels, chunk=7)
    assert set(found) == set(alone)
    for key, value in found.items():
        formed = value.dense() if isinstance(value, Implicit) else value
        assert torch.allclose(formed, alone[key], rtol=1e-9, atol=1e-12), key


NOT_COVERED = {
    "a tied weight": Widths,
    "a weight with another use": Decayed,
    "a layer without a rule": lambda: nn.LayerNorm((3, 8, 8)),
    "padding by name": lambda: nn.Conv2d(3, 3, 3, padding="same"),
    "examples that mix": lambda: nn.Softmax(dim=0),
}


@pytest.mark.parametrize("kind", NOT_COVERED)
def test_what_is_not_covered_is_taken_one_by_one(kind):
    model, (images, labels) = net(NOT_COVERED[kind]()), batch(3)
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    (found,) = ours.chunks(images, labels)
    assert not ours.one_pass
    (alone,) = gradient_chunks(model, cross_entropy, images, labels)
    for key, value in found.items():
        formed = value.dense() if isinstance(value, Implicit) else value
        assert torch.allclose(formed, alone[key], rtol=1e-9, atol=1e-12), key


def test_a_pass_that_turns_out_uncovered_later_falls_back_for_good():
    model, (images, labels) = net(nn.Conv2d(3, 3, 3), nn.Tanh()), batch(1100)
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    assert ours.one_pass
    model[0].bias = model[0].register_parameter("bias", None)
    model[0].forward = lambda x: nn.functional.conv2d(x, model[0].weight * 2)
    first, *rest = ours.chunks(images, labels)
    assert not ours.one_pass
    assert sum(len(part["0.weight"]) for part in (first, *rest)) == 1100


def test_an_input_that_is_changed_in_place_is_noticed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten(), nn.Linear(192, 5)).double()
    images, labels = batch(2)
    weights = {k: p.detach() for k, p in model.named_parameters()}
    fed = []
    model.register_forward_pre_hook(lambda _, arguments: fed.append(arguments[0]))

    def spoiling(logits, label):
        fed[-1].add_(1)
        return cross_entropy(logits, label)

    assert one_pass(model, cross_entropy, weights, {}, images, labels) is not None
    assert one_pass(model, spoiling, weights, {}, images, labels) is None


def test_pooling_side_by_side_is_pooling():
    draw = seeded()
    x = torch.randint(4, (2, 3, 9, 7), generator=draw).float().requires_grad_()
    walk = {"kernel_size": (3, 2), "stride": 2, "padding": (1, 0), "ceil_mode": True}
    watch = Watch({"w": torch.zeros(1)}, 2, RULES)
    with watch:
        found = nn.functional.max_pool2d(x, **walk)
    expected = nn.functional.max_pool2d(x, **walk)
    slope = torch.randn(expected.shape, generator=draw)
    assert torch.equal(found, expected)
    one, other = (torch.autograd.grad(y, x, slope)[0] for y in (found, expected))
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", ["dpsgd", "dprs", "dptopk", "adaptive", "perlayer"])
def test_every_defense_that_takes_factors_sums_what_it_sums_of_tensors(name):
    model, (images, labels) = small(), batch()
    images[3] = float("inf")  # left out by either
    defense = defenses.get(name, clip=0.5)
    plan = defense.plan(dict(model.named_parameters()), step=0, steps=1, generator=seeded())
    ours = ImplicitGradients(model, cross_entropy, *batch())
    (found,) = (defense.contribute(part, plan) for part in ours.chunks(images, labels))
    (whole,) = gradient_chunks(model, cross_entropy, images, labels, chunk=7)
    expected = defense.contribute(whole, plan)
    assert ours.one_pass
    assert set(found) == set(expected)
    for key, value in found.items():
        assert torch.allclose(value, expected[key], rtol=1e-9, atol=1e-9), key


@pytest.mark.parametrize(("edge", "length"), [(32, 64), (64, 16), (224, 1), (1000, 1)])
def test_passes_take_fewer_of_larger_images(edge, length):
    assert pass_length(torch.empty(1, 1, 1, 1).expand(300, 3, edge, edge)) == length


def test_a_module_under_two_names_is_taken_as_it_was():
    layer = nn.Conv2d(3, 3, 3, padding=1)
    model, (images, labels) = net(layer, nn.Tanh(), layer), batch(3)
    weight = layer.weight
    losses = [cross_entropy(model(x[None]), y[None]) for x, y in zip(images, labels, strict=True)]
    alone = torch.stack([torch.autograd.grad(loss, weight)[0] for loss in losses])
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    assert not ours.one_pass
    assert layer.weight is weight
    (found,) = ours.chunks(images, labels)
    assert torch.allclose(found["0.weight"], alone)


def test_linear_layers_that_share_a_weight_have_no_factors():
    first, second = nn.Linear(192, 192), nn.Linear(192, 192)
    second.weight = first.weight
    model, (images, labels) = net(nn.Flatten(), first, nn.Tanh(), second), batch(3)
    ours = ImplicitGradients(model, cross_entropy, images, labels)
    assert ours.outer == ["5"]
    (found,) = ours.chunks(images, labels)
    (alone,) = gradient_chunks(model, cross_entropy, images, labels)
    assert torch.allclose(found["1.weight"], alone["1.weight"])


def test_a_layer_that_writes_into_its_input_leaves_the_images():
    model, (images, labels) = net(nn.Hardtanh(0.2, 0.4, inplace=True)), batch(3)
    before = images.clone()
    list(ImplicitGradients(model, cross_entropy, images, labels).chunks(images, labels))
    assert torch.equal(images, before)


def test_which_way_is_taken_does_not_hang_on_the_examples():
    images, labels = batch(3)
    spoilt = images.clone()
    spoilt[:2] = float("nan")
    ways = [ImplicitGradients(small(), cross_entropy, x, labels) for x in (images, spoilt)]
    assert ways[0].one_pass and ways[1].one_pass
    assert ways[0].outer == ways[1].outer == ["11"]
