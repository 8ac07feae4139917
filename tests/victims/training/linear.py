"""A linear model on digits under DP-SGD, its noise, and folders of images to train on."""

from __future__ import annotations

import dataclasses

import torch
from PIL import Image

from victims.data import load_data
from victims.training import Training, prepare
from victims.training.examples import load_examples
from victims.training.weights import write_weights

LINEAR = Training(
    data="digits",
    count=120,
    model="linear",
    defense="dpsgd",
    defense_options={"noise_multiplier": 1.0},
    batch_size=20,
    epochs=1,
)


APART = {"data": "tests.parts:private", "public": "tests.parts:public", "defense": "gep"}


def noise(trainer, step=0):
    """What the next release holds besides the examples: that of an empty batch."""
    trainer.step = step
    nothing = trainer.inputs[:0], trainer.labels[:0]
    release = trainer.release(*nothing, trainer.draw("noise", step))
    return torch.cat([v.flatten() for v in release.update.values()])


def alike(first, second):
    """Correlation."""
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1])


def prepared(private=None, **changed):
    training = dataclasses.replace(LINEAR, **changed)
    examples = load_examples(training)
    if private is not None:
        examples = dataclasses.replace(examples, train=private)
    return prepare.prepare(training, examples=examples)


def stored(folder, **changed):
    made = prepared(**changed)
    made.trainer.advance()
    return write_weights(made, folder / "w.safetensors")


def folders(base):
    """One folder of images under two names, and another folder under a third."""
    for name, shift in (("imgs", 0), ("others", 300)):
        data = load_data("digits", split="train")
        for split in ("train", "test"):
            for i in range(200):
                place = base / name / split / str(int(data.labels[shift + i]))
                place.mkdir(parents=True, exist_ok=True)
                pixels = (data.images[shift + i, 0] * 255).round().to(torch.uint8)
                Image.fromarray(pixels.numpy()).save(place / f"{i}.png")
    return [f"folder:{base}/imgs", f"folder:{base}/./imgs/../imgs", f"folder:{base}/others"]
