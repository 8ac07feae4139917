"""A label is told by signs exactly when one label alone is possible."""

import itertools

import pytest
import torch

from attacks.invert.matching.label_signs import label_of_signs

CLASSES = 5


def slopes(label: int, count: int = 7) -> torch.Tensor:
    """(N, classes) slopes of softmax cross-entropy at random logits."""
    torch.manual_seed(label)
    chances = torch.randn(count, CLASSES).softmax(1)
    return chances - torch.nn.functional.one_hot(torch.tensor(label), CLASSES)


def gradient(label: int, features: int, density: float, seed: int):
    torch.manual_seed(seed)
    d = torch.randn(CLASSES).softmax(0)
    d[label] -= 1
    a = torch.randn(features)
    weight, seen = d[:, None] * a, torch.rand(CLASSES, features) < density
    shown = torch.rand(CLASSES) < density
    return weight * seen, d * shown, seen, shown


def possible(weight, bias, seen, shown) -> list[int]:
    """By brute force: the labels for which some signs of the features give all visible signs."""
    found = []
    for label in range(CLASSES):
        d = torch.ones(CLASSES)
        d[label] = -1
        fits = all(bias[c] * d[c] >= 0 for c in range(CLASSES) if shown[c])
        for j in range(weight.shape[1]):
            fits = fits and any(
                all(weight[c, j] * d[c] * s >= 0 for c in range(CLASSES) if seen[c, j])
                for s in (-1, 1)
            )
        if fits:
            found.append(label)
    return found


@pytest.mark.parametrize("density", [0.05, 0.2, 0.4, 0.9])
def test_a_label_is_told_when_it_alone_is_possible(density):
    told = 0
    for label, seed in itertools.product(range(CLASSES), range(8)):
        weight, bias, seen, shown = gradient(label, 6, density, seed)
        allowed = possible(weight, bias, seen, shown)
        assert label in allowed
        found = label_of_signs(map(slopes, range(CLASSES)), weight, bias, seen, shown)
        assert found == (label if len(allowed) == 1 else None)
        told += found is not None
    assert told > 30 if density > 0.3 else told < 20


def test_hidden_entries_that_are_not_zero_say_nothing():
    weight, bias, seen, shown = gradient(2, 6, 0.9, 0)
    weight, bias = weight + ~seen, bias - (~shown).float()
    assert label_of_signs(map(slopes, range(CLASSES)), weight, bias, seen, shown) == 2


def test_a_loss_whose_slopes_have_no_fixed_sign_tells_nothing():
    weight, bias, seen, shown = gradient(2, 6, 1.0, 0)
    mixed = [torch.randn(7, CLASSES) for _ in range(CLASSES)]
    assert label_of_signs(mixed, weight, bias, seen, shown) is None


def test_a_layer_without_a_bias_is_told_by_its_weight():
    weight, _, seen, shown = gradient(3, 6, 1.0, 0)
    assert label_of_signs(map(slopes, range(CLASSES)), weight, None, seen, shown) == 3
