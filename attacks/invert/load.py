"""The cast of an inversion Scenario: private and auxiliary images, victim, defenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.apart import keep_apart
from attacks.invert.bounds import build_defenses
from attacks.invert.candidates.lineup import CANDIDATES
from attacks.invert.drift import drift, held
from attacks.invert.matching.objective import refuse_single_derivatives
from attacks.invert.rounds import Schedule, schedule
from attacks.invert.scenario import Scenario
from defenses import Defense, Side, preprocessing
from reports.records.rounds import parted
from victims.data import digest
from victims.data.trust import agree
from victims.models import load_defended
from victims.models.frozen import split_last

AUXILIARY = 256
"""At most this many images of the other split are the adversary's own."""
ANCHORS = 128
"""So many of them are public for defenses that learn from public data."""


@dataclass(frozen=True)
class Setting:
    """What a Scenario names, loaded.

    Attributes:
        private: the images under attack and their labels, on the CPU.
        alike: further images of the same split, at most N - 1: the other candidates of the
            candidate game, whose bound needs the private one to be any of them.
        auxiliary: the adversary's own, without what is private.
        dropped: images that this took away; see `keep_apart`.
        classes: number of labels of both together.
        models: the victim under each defense, on the study's device; one for all, where the
            defenses leave it alone.
        shields: the defenses to compare, the one under study last; a scheduled one at each of
            its rounds, by `reports.records.rounds.other`.
        schedules: defense -> its rounds.
        content: digest of all images that the study sees, as `content` gives it.
    """

    private: victims.Data
    alike: victims.Data
    auxiliary: victims.Data
    dropped: int
    classes: int
    models: dict[str, torch.nn.Module]
    shields: dict[str, Defense]
    schedules: dict[str, Schedule]
    content: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.private.images.shape[1:]
        return channels, height, width


def draw(scenario: Scenario, data_root: str | None) -> tuple[victims.Data, victims.Data]:
    """The images under attack with those like them, and the other split's: the adversary's.

    Raises:
        BadInput: they cannot be had.
    """
    where: dict[str, Any] = {"root": data_root, "size": scenario.size, "seed": scenario.seed}
    other = "train" if scenario.split == "test" else "test"
    count = scenario.images
    more = count + CANDIDATES - 1
    drawn = victims.load_data(
        scenario.data, split=scenario.split, count=more, at_most=True, **where
    )
    if len(drawn.labels) < count:  # let the loader say so
        drawn = victims.load_data(scenario.data, split=scenario.split, count=count, **where)
    return drawn, victims.load_data(
        scenario.data, split=other, count=AUXILIARY, at_most=True, **where
    )


def content(scenario: Scenario, data_root: str | None) -> str:
    """Digest of all images that a study of the Scenario sees."""
    return digest(*draw(scenario, data_root))


def load_setting(scenario: Scenario, *, device: str, data_root: str | None) -> Setting:
    """Everything that a study of the Scenario needs before it starts.

    Raises:
        BadInput: the data, the model or the defenses cannot be had as named.
    """
    drawn, auxiliary = draw(scenario, data_root)
    seen = digest(drawn, auxiliary)
    private = drawn.take(torch.arange(scenario.images))
    alike = drawn.take(torch.arange(scenario.images, len(drawn.labels)))
    channels, height, width = private.images.shape[1:]
    shape = (channels, height, width)
    agree(private, auxiliary, scenario.data)
    auxiliary, dropped = keep_apart(auxiliary, private.images, scenario.data)
    classes = max(private.classes, auxiliary.classes)
    # At a step of a run its defense's round is given.
    given = None if scenario.step is None else scenario.defense
    schedules = {
        name: schedule(shield, 0 if name == given else scenario.moments)
        for name, shield in build_defenses(scenario).items()
    }
    shields: dict[str, Defense] = {}
    models: dict[str, torch.nn.Module] = {}
    plain = None
    for name, found in schedules.items():
        if preprocessing.stages(found.defense):
            models[name] = load_victim(scenario, shape, classes, found.defense).to(device)
        else:
            plain = plain or load_victim(scenario, shape, classes, found.defense).to(device)
            models[name] = plain
        told = with_public(found.defense, models[name], auxiliary, device)
        like = {k: p.detach() for k, p in models[name].named_parameters() if p.requires_grad}
        found = drift(found, told, like, 0 if name == given else scenario.moments)
        schedules[name] = found
        for label, shield in found.labels(name).items():
            models[label] = models[name]
            fresh = shield is not found.defense
            public = with_public(shield, models[name], auxiliary, device) if fresh else told
            shields[label] = held(public, parted(label)[1] or 0) if found.drifts else public
    return Setting(
        private=private,
        alike=alike,
        auxiliary=auxiliary,
        dropped=dropped,
        classes=classes,
        models=models,
        shields=shields,
        schedules=schedules,
        content=seen,
    )


def with_public(
    shield: Defense, model: torch.nn.Module, auxiliary: victims.Data, device: str
) -> Defense:
    """A defense that learns from public data is given the adversary's own: everyone has them."""
    if "anchors" not in shield.wants:
        return shield
    images, labels = auxiliary.images[:ANCHORS].to(device), auxiliary.labels[:ANCHORS].to(device)
    anchors = victims.per_example_gradients(model, cross_entropy, images, labels)
    return shield.informed(Side(anchors=anchors))


def load_victim(
    scenario: Scenario, shape: tuple[int, int, int], classes: int, shield: Defense
) -> torch.nn.Module:
    """The scenario's model as it is under a defense, untrained or from its weights file.

    In eval mode, but for modules that draw by that defense.
    """
    model = load_defended(
        scenario.model,
        shield,
        seed=scenario.seed,
        layers=scenario.layers,
        image_shape=shape,
        classes=classes,
        weights=None if scenario.state == "untrained" else scenario.state,
    )
    victim = preprocessing.let_draw(split_last(model) if scenario.layers == "last" else model)
    if ":" in scenario.model:
        refuse_single_derivatives(victim, cross_entropy, shape, scenario.model)
    return victim
