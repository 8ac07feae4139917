"""A digit under attack, for the defenses whose tests want a gradient of a network."""

from __future__ import annotations

import pytest
from torch.nn.functional import cross_entropy

import victims


@pytest.fixture(scope="module")
def digit():
    """A photograph's place is taken by a digit, whose gradients are small: model, image, label."""
    private = victims.load_data("digits", count=1)
    auxiliary = victims.load_data("digits", split="train", count=128)
    shape = tuple(private.images.shape[1:])
    model = victims.load_model("lenet", image_shape=shape, classes=10)
    grads = victims.per_example_gradients(model, cross_entropy, private.images, private.labels)
    known = {
        "image_shape": shape,
        "classes": 10,
        "batch_size": 1,
        "auxiliary_images": auxiliary.images,
        "auxiliary_labels": auxiliary.labels,
        "labels": private.labels,
        "seconds": 100.0,
    }
    return model, private, grads, known
