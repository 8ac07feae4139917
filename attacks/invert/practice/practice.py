"""How well attacks do on batches of the adversary's own, within what the threat allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

import torch
from torch import nn

from attacks.invert.contract import Inversion, Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.practice.limits import limit, threat_left
from attacks.invert.practice.rehearsal import Rehearsal


@dataclass
class Practice:
    """Batches to practise on, and what is left to do it with.

    Attributes:
        own: batches of the adversary's auxiliary images, released like the victim's.
        threat: what the adversary has beside them; they are not among what it looks at.
        clock: the guard over all runs together.
        generator: of everything random.
        evaluations: gradients per image of one brief run.
        runs: brief runs that are still to come; they share the time that is left.
        hurried: whether the clock has cut one of them short.
    """

    own: tuple[Rehearsal, ...]
    threat: Threat
    clock: Clock
    generator: torch.Generator
    evaluations: int
    runs: int = 0
    hurried: bool = False

    @classmethod
    def of(
        cls,
        model: nn.Module,
        loss: Loss,
        threat: Threat,
        batches: int,
        evaluations: int,
        blind: Inversion,
        *,
        generator: torch.Generator,
    ) -> Practice:
        """Draw auxiliary batches and release them.

        Args:
            model: of the victim.
            loss: of the victim.
            threat: what the adversary has.
            batches: how many; as many images as they hold are taken from the auxiliary ones.
            evaluations: gradients per image of one brief run.
            blind: see `Rehearsal.of`.
            generator: of everything random.
        """
        clock, size = threat.clock(), threat.batch_size
        images, labels = threat.auxiliary_images, threat.auxiliary_labels
        order = torch.randperm(len(images), generator=generator)
        chosen, rest = order[: batches * size].split(size), order[batches * size :].sort().values
        batches_of = [(images[i], labels[i]) for i in chosen]
        # What practice is about must not be among what the adversary looks at.
        if len(rest):
            threat = dataclasses.replace(
                threat, auxiliary_images=images[rest], auxiliary_labels=labels[rest]
            )
        own = tuple(
            Rehearsal.of(
                model, loss, threat_left(threat, 0, clock), *batch, blind, generator=generator
            )
            for batch in batches_of
        )
        return cls(own, threat, clock, generator, evaluations)

    def error_of_whole(self, trial: Inversion) -> float:
        """Log squared error on the first batch, with as many evaluations as the options say."""
        known = threat_left(self.threat, 0, self.clock)
        return self.own[0].error(trial, known, generator=self.generator)

    def error_of_brief(self, trial: Inversion, batch: Rehearsal, clock: Clock) -> float:
        """Log squared error on one of the batches, with few evaluations and the clock's time."""
        known = threat_left(self.threat, 0, clock)
        trial, known = limit(trial, self.evaluations, known)
        return batch.error(trial, known, generator=self.generator)

    def error(self, trial: Inversion) -> float:
        """Log squared error of brief runs on all batches; infinite where time was up before."""
        total = 0.0
        for batch in self.own:
            if self.clock.over:
                self.hurried = True
                return math.inf
            share = self.clock.part(1 / max(1, self.runs))
            self.runs -= 1
            total += self.error_of_brief(trial, batch, share)
            self.hurried |= share.over
        return total

    def rank(self, trials: Iterable[Inversion]) -> list[tuple[float, Inversion]]:
        """The attacks with their errors, the lowest first; those not tried stay in order."""
        return sorted(((self.error(trial), trial) for trial in trials), key=itemgetter(0))

    def left(self, trial: Inversion) -> float | None:
        """The share of the first batch's release that a brief run leaves unexplained, in squares.

        None where time was up before it ended.
        """
        known, first = threat_left(self.threat, 0, self.clock), self.own[0]
        trial, known = limit(trial, self.evaluations, known)
        found = first.left(trial, known, generator=self.generator)
        return None if self.clock.over else found
