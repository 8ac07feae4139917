"""The images of an inversion: those under attack, those like them, and the adversary's own."""

from __future__ import annotations

from typing import Any

import torch

import victims
from attacks.invert.contract import registry
from attacks.invert.scenario import Scenario
from victims.data import Data, digest

AUXILIARY = 256
"""At most this many images of the other split are the adversary's own, and those beside them that
its attack learns from."""


def content(scenario: Scenario, data_root: str | None) -> str:
    """Digest of all images that a study of the Scenario sees."""
    return digest(*load_images(scenario, data_root))


def load_images(scenario: Scenario, data_root: str | None) -> tuple[Data, Data]:
    """The images under attack with those like them, and the other split's: the adversary's.

    Raises:
        BadInput: they cannot be had.
    """
    where: dict[str, Any] = {"root": data_root, "size": scenario.size, "seed": scenario.seed}
    count = scenario.images
    more = count + scenario.candidates - 1
    images = victims.load_data(
        scenario.data, split=scenario.split, count=more, at_most=True, **where
    )
    if len(images.labels) < count:  # let the loader say so
        images = victims.load_data(scenario.data, split=scenario.split, count=count, **where)
    other = "train" if scenario.split == "test" else "test"
    return images, load_auxiliary(scenario, other, data_root)


def load_auxiliary(scenario: Scenario, split: str, data_root: str | None) -> Data:
    """The adversary's own images of a split; `part_auxiliary` are those after the first."""
    attack = registry.get(scenario.attack, **scenario.attack_options)
    return victims.load_data(
        scenario.data,
        split=split,
        count=AUXILIARY + attack.learns_from(),
        at_most=True,
        root=data_root,
        size=scenario.size,
        seed=scenario.seed,
    )


def part_auxiliary(own: Data) -> tuple[Data, Data]:
    """The adversary's own images in two parts: `AUXILIARY`, and those beside them; maybe none."""
    order = torch.arange(len(own.labels))
    return own.take(order[:AUXILIARY]), own.take(order[AUXILIARY:])


def image_shape(data: Data) -> tuple[int, int, int]:
    """(C, H, W) of a set's images."""
    channels, height, width = data.images.shape[1:]
    return channels, height, width
