"""Whether what acts before the gradient leaves each example to itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defenses import preprocessing
from defenses.conformance.finding import Verdict
from defenses.conformance.subject import Subject
from defenses.contract import Defense
from defenses.randomness import seeded

TRIED = 32
"""How many of the ways of showing an image are looked at, at most."""
CLOSE = 1e-5
"""Rounding of float32 outputs of order 1."""


def before(subject: Subject) -> Verdict:
    """What is done to images and model keeps examples apart, images in range and draws known."""
    defense = subject.defense
    if not preprocessing.stages(defense):
        return True, "nothing is done before the gradient"
    images = torch.rand(4, 3, 16, 16, generator=subject.generator("images"))
    return next(
        (
            (False, told)
            for told in (_images(defense, images), _model(subject, images))
            if told is not None
        ),
        (True, f"{preprocessing.ways(defense)} ways of showing images; models keep rows apart"),
    )


def _images(defense: Defense, images: Tensor) -> str | None:
    """The mistake in how a defense shows images, in words; None where there is none."""
    count = preprocessing.ways(defense)
    if count < 1:
        return f"there are {count} ways of showing an image"
    for way in sorted({round(i) for i in torch.linspace(0, count - 1, TRIED).tolist()}):
        seen = preprocessing.view(defense, images, way)
        if seen.shape != images.shape or seen.dtype != images.dtype:
            return f"way {way} gives {tuple(seen.shape)} {seen.dtype}, not {tuple(images.shape)}"
        if not bool(((seen >= 0) & (seen <= 1)).all()):
            return f"way {way} leaves [0, 1]: {float(seen.min()):.3g} to {float(seen.max()):.3g}"
        alone = torch.cat([preprocessing.view(defense, image, way) for image in images.split(1)])
        if not torch.allclose(seen, alone, atol=CLOSE):
            return f"way {way} shows an image otherwise in a batch than alone"
        if not torch.equal(seen, preprocessing.view(defense, images, way)):
            return f"way {way} is another one each time"
    return None


def _model(subject: Subject, images: Tensor) -> str | None:
    """The mistake in the model that a defense equips, in words; None where there is none."""
    with seeded(subject.generator("model")):
        plain = nn.Sequential(nn.Flatten(), nn.Linear(768, 12), nn.Tanh(), nn.Linear(12, 5)).eval()
        state = {k: v.clone() for k, v in plain.state_dict().items()}
        first, second = (
            preprocessing.equip(subject.defense, plain, subject.generator("fitted")).eval()
            for _ in range(2)
        )
        if any(not torch.equal(v, state[k]) for k, v in plain.state_dict().items()):
            return "the model that was handed over is changed"
        with torch.no_grad():
            rows = first(images)
            if rows.shape != (4, 5):
                return f"logits are {tuple(rows.shape)}, not (4, 5)"
            if not torch.equal(rows, second(images)):
                return "equal generators give different models, or eval mode draws"
            if not torch.allclose(rows, torch.cat([first(x) for x in images.split(1)]), atol=CLOSE):
                return "an example's logits depend on the others in the batch"
            noisy = [first.train()(images) for _ in range(2)]
            if not torch.equal(*noisy) and not preprocessing.draws(first):
                return "a module draws at random and has no attribute `draws`"
    return None
