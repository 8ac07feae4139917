"""A batch is taken apart behind the logits by what softmax makes of each input."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attacks.invert.peeling.last_softmax import agree, slopes_by_softmax
from tests.conftest import seeded


def case(labels, scale=0.3, shrunk=1.0):
    """What a linear layer's gradients are for inputs without a single zero, and the slopes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        layer = nn.Linear(40, 8).double()
    labels = torch.tensor(labels)
    draw = torch.rand(len(labels), 40, generator=seeded(1), dtype=torch.float64)
    fed = scale * (0.1 + draw)
    slopes = (layer(fed).softmax(1) - F.one_hot(labels, 8)) / len(labels)
    slopes = slopes * torch.linspace(1, shrunk, len(labels), dtype=torch.float64)[:, None]
    weight, bias = layer.weight.detach(), layer.bias.detach()
    return slopes.detach(), (
        (slopes.T @ fed).detach(),
        slopes.sum(0).detach(),
        weight,
        bias,
        labels,
    )


@pytest.mark.parametrize("labels", [[4], [1, 6], [0, 2, 3, 7], [0, 1, 2, 3, 4, 5, 6]])
def test_slopes_of_different_labels_are_told_exactly(labels):
    slopes, given = case(labels)
    assert torch.allclose(slopes_by_softmax(*given), slopes, rtol=1e-6, atol=1e-9)


def test_what_is_not_told_is_not_guessed():
    assert slopes_by_softmax(*case([1, 1, 3])[1]) is None  # examples of one class change places
    assert slopes_by_softmax(*case([0, 1, 2, 3, 4, 5, 6, 7])[1]) is None  # as many as classes
    assert slopes_by_softmax(*case([0, 2, 3], shrunk=0.5)[1]) is None  # each clipped by itself
    _, (gradient, total, weight, bias, _) = case([0, 2, 3])
    assert slopes_by_softmax(gradient, total, weight, bias, torch.tensor([0, 2, 4])) is None


def test_slopes_that_explain_the_gradient_must_be_softmax_too():
    slopes, given = case([0, 2, 3])
    assert agree(slopes, *given)
    mixed = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], dtype=torch.float64)
    assert not agree(mixed @ slopes, *given)  # they add up to the same, and span the same
