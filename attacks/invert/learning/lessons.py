"""Pixels regressed on what a release shows of an image, learned from images of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss
from attacks.invert.learning.population import Population
from attacks.invert.learning.shelf import place_of, read, write
from attacks.invert.learning.view import View
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.meter import spend
from defenses import Gradients, stream
from defenses.options import shown_options
from victims import per_example_gradients
from victims.training.streams import content_of

CHUNK_VALUES = 2**22
"""Gradients are taken and shown so many values at a time (16 MiB)."""
COMPONENTS = 512
"""Directions in which images are predicted by a map that is kept: of CIFAR-10 they hold 98% of the
variance, and a release that needs such a map tells of fewer."""
KEPT_VALUES = 2**27
"""All maps of one defense together have at most so many values (512 MiB)."""
RIDGE, RIDGE_FEW, FEW = 1e-4, 1e-2, 500
"""What is added to a column's variance without noise; with fewer images than `FEW` the second."""


@dataclass(frozen=True)
class Map:
    """A regression that is kept for all releases with one view.

    Attributes:
        mean: (D,) of the shown gradients.
        unit: (D,) of the columns.
        weights: (D, T) onto the first T directions of the images.
    """

    mean: Tensor
    unit: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Asked:
    """What an image is predicted from.

    Attributes:
        model: whose gradients are released.
        loss: the model's loss, see `victims.per_example_gradients`.
        view: what the adversary sees of the release.
        label: of the image.
    """

    model: nn.Module
    loss: Loss
    view: View
    label: int

    def key(self, images: Tensor) -> str:
        """See `lesson_key`."""
        return lesson_key(self.model, images, self.view, self.label)


@dataclass(frozen=True)
class Lessons:
    """What an adversary learns of images from releases that it makes of its own.

    Attributes:
        images: (N, C, H, W) float32 on the model's device.
        population: of these images.
        maps: by `lesson_key`.
    """

    images: Tensor
    population: Population
    maps: dict[str, Map] = field(default_factory=dict)

    @classmethod
    def of(cls, images: Tensor) -> Lessons:
        """From images (N, C, H, W), before anything is learned of a defense."""
        return cls(images, Population.fit(images))

    def keep(self, asked: Asked, *, clock: Clock) -> None:
        """Learn the map of a view and a label that more than one release will have.

        What the defense draws is drawn by the map's key, so that one map is always the same, and
        one that lies on disk (`attacks.invert.learning.shelf`) is as good as learned, at the
        evaluations that it took.

        Raises:
            TimeIsUp: the clock ended it; nothing is kept then.
        """
        view, key = asked.view, asked.key(self.images)
        place = place_of(key, asked.model, view.threat.defense)
        if (kept := read(place, ("mean", "unit", "weights"), self.images.device)) is not None:
            spend(len(self.images))
            self.maps[key] = Map(*kept)
            return
        shown = self._show_all(asked, stream(0, "lesson", key), clock)
        count = min(COMPONENTS, max(1, KEPT_VALUES // (view.threat.classes * shown.shape[1])))
        regression = view.regress(shown, self._ridge)
        targets = self._deviations() @ self.population.axes[:, :count].float()
        found = Map(regression.mean, regression.unit, regression.weights(targets))
        self.maps[key] = found
        write(place, vars(found))

    def predict(self, asked: Asked, *, generator: torch.Generator, clock: Clock) -> Tensor:
        """(1, C, H, W) the image predicted from what a view observed; not clamped.

        Raises:
            TimeIsUp: the clock ended it.
        """
        view, kept = asked.view, self.maps.get(asked.key(self.images))
        mean = self.images.flatten(1).mean(0)
        if kept is None:
            shown = self._show_all(asked, generator, clock)
            share = view.regress(shown, self._ridge).coefficients(view.observed)
            pixels = mean + share @ self._deviations()
        else:
            code = kept.weights.T @ ((view.observed - kept.mean) / kept.unit)
            pixels = mean + self.population.axes[:, : len(code)].float() @ code
        return pixels.reshape(1, *self.images.shape[1:])

    @property
    def _ridge(self) -> float:
        return RIDGE if len(self.images) >= FEW else RIDGE_FEW

    def _deviations(self) -> Tensor:
        pixels = self.images.flatten(1)
        return pixels - pixels.mean(0)

    def _show_all(self, asked: Asked, generator: torch.Generator, clock: Clock) -> Tensor:
        grads = labelled_gradients(asked.model, asked.loss, self.images, asked.label)
        return asked.view.show_all(clock.watch(grads), len(self.images), generator)


def labelled_gradients(
    model: nn.Module, loss: Loss, images: Tensor, label: int
) -> Iterator[Gradients]:
    """Per-example gradients of images (N, C, H, W), all of them given one label, in chunks.

    At a fixed label a gradient is nearly linear in the image, whatever the image's own label is.
    """
    values = sum(p.numel() for p in model.parameters() if p.requires_grad)
    for few in images.split(max(1, min(256, CHUNK_VALUES // max(1, values)))):
        spend(len(few))
        labels = torch.full((len(few),), label, device=few.device)
        yield per_example_gradients(model, loss, few, labels)


def lesson_key(model: nn.Module, images: Tensor, view: View, label: int) -> str:
    """64 hex digits that change with anything that a `Map` was learned from.

    Weights, buffers and layers of the model; the images; the defense with its options, whether it
    is replayed, its public facts and the coordinates that it releases; the label.
    """
    threat, release = view.threat, view.release
    known = [type(threat.defense).__qualname__, shown_options(threat.defense)]
    defense = known if threat.adaptive else []  # a naive adversary reckons with none
    public = list(_parts(release.public)) if threat.adaptive else []
    return content_of(
        repr(model),
        dict(model.state_dict()),
        images,
        json.dumps([defense, label], default=repr),
        *public,
        view.index,
    )


def _parts(facts: Mapping[str, Any]) -> Iterator[Tensor | str]:
    """Public facts as `content_of` takes them, names before values."""
    for name, value in sorted(facts.items()):
        yield name
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            yield from _parts(value)
        else:
            yield repr(value)
