"""What an inversion Scenario names, loaded: images, victims under their defenses, rounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from attacks.invert.images import load_images, part_auxiliary
from attacks.invert.overlap import keep_apart
from attacks.invert.scenario import Scenario
from attacks.invert.schedules import Schedule
from attacks.invert.under_defenses import load_victims
from attacks.invert.victim import Victim
from victims.data import Data, digest
from victims.data.trust import agree


@dataclass(frozen=True)
class Cast:
    """Who takes part in a study, and with what.

    Attributes:
        private: the images under attack and their labels, on the CPU.
        alike: further images of the same split, at most N - 1: the other candidates of the
            candidate game, whose bound needs the private one to be any of them.
        auxiliary: the adversary's own images, without what is private.
        learning: those beside them that the attack learns from, without what is private; perhaps
            none.
        dropped: how many images that took away; see `keep_apart`.
        classes: number of labels of private and auxiliary images together.
        victims: the victim by the name of its defense, the one under study last; under a
            scheduled defense one at each round, by `reports.records.rounds.other`. Their models
            lie on the study's device, and are one where the defenses leave the model alone.
        schedules: the rounds of each defense, by its name.
        content: digest of all images that the study sees, as `images.content` gives it.
        device: of the study.
    """

    private: Data
    alike: Data
    auxiliary: Data
    learning: Data
    dropped: int
    classes: int
    victims: Mapping[str, Victim]
    schedules: Mapping[str, Schedule]
    content: str
    device: str

    @property
    def candidates(self) -> int:
        """N of the candidate game, the private image included."""
        return len(self.alike.labels) + 1

    def batch(self, index: int, size: int) -> Data:
        """The private batch of an index, so many images and their labels, on the device."""
        part = slice(index * size, (index + 1) * size)
        images, labels = self.private.images[part], self.private.labels[part]
        return dataclasses.replace(
            self.private, images=images.to(self.device), labels=labels.to(self.device)
        )


def load_cast(scenario: Scenario, *, device: str, data_root: str | None) -> Cast:
    """Everything that a study of the Scenario needs before it starts.

    Raises:
        BadInput: the data, the model or the defenses cannot be had as named.
    """
    images, others = load_images(scenario, data_root)
    private = images.take(torch.arange(scenario.images))
    agree(private, others, scenario.data)
    own, dropped = keep_apart(others, private.images, scenario.data)
    auxiliary, learning = part_auxiliary(own)
    classes = max(private.classes, auxiliary.classes)
    found, schedules = load_victims(scenario, auxiliary, classes, device=device)
    return Cast(
        private=private,
        alike=images.take(torch.arange(scenario.images, len(images.labels))),
        auxiliary=auxiliary,
        learning=learning,
        dropped=dropped,
        classes=classes,
        victims=found,
        schedules=schedules,
        content=digest(images, others),
        device=device,
    )
