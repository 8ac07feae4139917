"""The weight difference of local steps is that of plain SGD, and its facts come together."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from defenses import BadInput
from tests.conftest import seeded
from victims.gradients import LocalSteps

FACTS = {"local_steps": 3, "local_lr": 0.25, "local_batch": 2}
STEPS = LocalSteps(3, 0.25, 2)


class Curved(nn.Module):
    """A model of a user's own, which is not known to be right under vmap."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(48, 4)
        self.still = nn.Parameter(torch.ones(4), requires_grad=False)

    def forward(self, images):
        return torch.sigmoid(self.layer(images.flatten(1))) * self.still


@pytest.fixture
def client():
    draw = seeded(5)
    return torch.rand(6, 3, 4, 4, generator=draw).double(), torch.arange(6) % 4


def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Curved().double()


@pytest.mark.parametrize("batch", [1, 2])
def test_one_step_is_the_learning_rate_times_the_gradient(client, batch):
    images, labels = client[0][:batch], client[1][:batch]
    found = LocalSteps(1, 0.5, batch).difference(net(), cross_entropy, images, labels)
    grads = victims.per_example_gradients(net(), cross_entropy, images, labels)
    assert list(found) == list(grads) == ["layer.weight", "layer.bias"]
    for name, grad in grads.items():
        if batch == 1:
            assert torch.equal(found[name] / 0.5, grad)
        torch.testing.assert_close(found[name][0] / 0.5, grad.mean(0), rtol=1e-14, atol=1e-16)


def test_several_steps_are_those_of_sgd_in_their_order(client):
    images, labels = client
    model, trained = net(), net()
    found = STEPS.difference(model, cross_entropy, images, labels)
    sgd = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], lr=0.25)
    for x, y in zip(images.split(2), labels.split(2), strict=True):
        sgd.zero_grad()
        cross_entropy(trained(x), y).backward()
        sgd.step()
    for name, moved in found.items():
        here, there = model.get_parameter(name), trained.get_parameter(name)
        torch.testing.assert_close(moved[0], (here - there).detach(), rtol=1e-12, atol=1e-14)
    back = STEPS.difference(model, cross_entropy, images.flip(0), labels.flip(0))
    assert not torch.allclose(back["layer.weight"], found["layer.weight"], rtol=1e-3)


def test_many_clients_are_each_as_alone(client):
    known = victims.load_model("linear", image_shape=(3, 4, 4), classes=4).double()
    images, labels = client
    for model in (net(), known):
        before = copy.deepcopy(model.state_dict())
        both = STEPS.differences(
            model, cross_entropy, torch.stack([images, 1 - images]), torch.stack([labels, labels])
        )
        for index, seen in enumerate((images, 1 - images)):
            alone = STEPS.difference(model, cross_entropy, seen, labels)
            for name, moved in alone.items():
                torch.testing.assert_close(both[name][index], moved[0], rtol=1e-9, atol=1e-12)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_difference_can_be_differentiated_by_the_images(client):
    images, labels = client

    way = torch.randn(images.shape, generator=seeded(), dtype=images.dtype)

    def length(share):
        seen = images + share * way
        moved = STEPS.difference(net(), cross_entropy, seen, labels, differentiable=True)
        return torch.stack([m.square().sum() for m in moved.values()]).sum()

    share = torch.zeros(1, dtype=images.dtype, requires_grad=True)
    assert torch.autograd.gradcheck(length, share, eps=1e-6, atol=1e-8)


def test_facts_come_together_or_not_at_all():
    assert LocalSteps.among({"batch_size": 1}) is None
    assert LocalSteps.among(FACTS | {"batch_size": 1}) == STEPS
    assert STEPS.facts() == FACTS and STEPS.images == 6
    for name in FACTS:
        with pytest.raises(BadInput, match=f"without {name}: give local_steps"):
            LocalSteps.among(FACTS | {name: None})
    for name, value in (("local_steps", 0), ("local_batch", -1), ("local_lr", 0.0)):
        with pytest.raises(BadInput, match=name):
            LocalSteps.among(FACTS | {name: value})


def test_another_number_of_images_is_refused(client):
    images, labels = client
    with pytest.raises(BadInput, match=r"5 images and 5 labels for 3 local steps of 2, which .* 6"):
        STEPS.difference(net(), cross_entropy, images[:5], labels[:5])
