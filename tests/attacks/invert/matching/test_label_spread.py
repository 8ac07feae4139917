"""Labels of batches at networks that have learned nothing, and a little."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.contract import Threat
from attacks.invert.matching import label_spread
from attacks.invert.matching.label_spread import spread_that_helps
from attacks.invert.matching.label_templates import count_labels, slopes_by_label


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    order = torch.randperm(len(found.data), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(found.data[order.numpy()] / 16).float().reshape(-1, 1, 8, 8)
    return images, torch.tensor(found.target)[order]


def trained(digits, steps: int):
    images, labels = (part[300:800] for part in digits)
    draw = torch.Generator().manual_seed(0)
    net = victims.load_model("mlp", image_shape=(1, 8, 8), generator=draw)
    descent = torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(steps):
        few = torch.randint(500, (50,), generator=draw)
        cross_entropy(net(images[few]), labels[few]).backward()
        descent.step()
        descent.zero_grad()
    return net


def wrong(net, digits, batch: int) -> tuple[int, int, bool]:
    """Labels of 60 batches that are counted wrongly: rounded, and as the attack counts them."""
    images, labels = digits
    threat = Threat(defenses.get("none"), True, (1, 8, 8), 10, batch, images[:256], labels[:256])
    templates = torch.stack([s.mean(0) for s in slopes_by_label(net, cross_entropy, threat)])
    spread = spread_that_helps(net, cross_entropy, templates, threat)
    victim = dataclasses.replace(threat, auxiliary_images=images[800:])
    slopes = torch.stack(list(slopes_by_label(net, cross_entropy, victim)))
    own = slopes[labels[800:], torch.arange(len(labels) - 800)]
    missed = [0, 0]
    for turn in range(60):
        part = slice(turn * batch, (turn + 1) * batch)
        truth = torch.bincount(labels[800:][part], minlength=10)
        for way, given in enumerate((None, spread)):
            found = count_labels(templates, own[part].sum(0), threat, given)
            missed[way] += int((torch.bincount(found, minlength=10) - truth).abs().sum()) // 2
    return *missed, spread is not None


@pytest.mark.parametrize("steps", [0, 30, 100, 200])
def test_what_images_vary_by_never_makes_labels_much_worse(steps, digits):
    rounded, mended, _ = wrong(trained(digits, steps), digits, 4)
    assert mended <= rounded + 0.03 * 240
    assert steps or mended == 0


@pytest.mark.parametrize(
    ("without", "beside", "taken"), [(3, 2, True), (3, 3, True), (3, 4, False)]
)
def test_it_is_left_where_own_batches_are_counted_worse(
    without, beside, taken, digits, monkeypatch
):
    found = {True: without, False: beside}
    monkeypatch.setattr(label_spread, "_wrong", lambda slopes, threat, given: found[given is None])
    assert wrong(trained(digits, 0), digits, 4)[2] is taken
