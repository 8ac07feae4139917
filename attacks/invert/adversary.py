"""The adversary: a release in, a guess of the private images out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import Guess, Inversion, Threat
from attacks.invert.matching.clock import Clock, TimeIsUp
from attacks.invert.matching.meter import measure
from attacks.invert.undo_views import undo_view
from attacks.invert.victim import Victim, draw_from
from defenses import BadInput, Gradients, Release, preprocessing

SHARE = 0.3
"""Share of an adversary's time that practice gets, where time is guarded."""


@dataclass(frozen=True)
class Adversary:
    """Who has an attack, and knows of the victim what a threat model says.

    An adaptive adversary also knows what acts before the gradient; a naive one ignores it, as it
    ignores the rest of the defense.

    Attributes:
        attack: that reconstructs.
        threat: what the adversary has beyond the release, the model and the loss.
        candidates: of the candidate game; None where it is not played.
        practice: gradients of single examples that practice took.
        hurried: whether practice took all the time that it was given.
    """

    attack: Inversion
    threat: Threat
    candidates: Lineup | None = None
    practice: int = 0
    hurried: bool = False

    def with_threat(self, **facts: Any) -> Adversary:
        """The same adversary with other fields of the threat model."""
        return dataclasses.replace(self, threat=dataclasses.replace(self.threat, **facts))

    def practise(
        self,
        victim: Victim,
        clock: Clock,
        *,
        generator: torch.Generator,
        tell: Callable[[int], None] | None = None,
    ) -> Adversary:
        """This adversary after `Inversion.tuned` within `SHARE` of the clock.

        Args:
            victim: whose model and loss are known.
            clock: of all that this adversary does.
            generator: of what practice draws.
            tell: see `attacks.invert.matching.meter.Meter`.
        """
        share = clock.part(SHARE)
        seconds = share.left / self.threat.batch_size
        threat = dataclasses.replace(self.threat, seconds=seconds)
        with measure(tell) as meter:
            attack = self.attack.tuned(victim.model, victim.loss, threat, generator=generator)
        return dataclasses.replace(
            self, attack=attack, practice=meter.gradients, hurried=share.over
        )

    def guess(self, victim: Victim, release: Release, *, generator: torch.Generator) -> Guess:
        """`Inversion.reconstruct`, through what acts before the gradient.

        An adaptive adversary fixes the model's draws where the release tells them, rebuilds images
        as the model saw them, with the prior of images so shown, and undoes that in the end. A
        naive one rebuilds with the model as it is: modules that draw go on drawing, at every
        evaluation anew.

        Args:
            victim: whose model and loss are known.
            release: of the victim.
            generator: of what the attack draws.

        Raises:
            BadInput: the release holds NaN or infinite values: no attack on it says anything; or
                it is not of the model's parameters and their shapes.
        """
        _refuse_unusable(victim.model, release)
        model, threat, defense = victim.model, self.threat, self.threat.defense
        if threat.adaptive and preprocessing.stages(defense):
            model, release = preprocessing.solve(defense, model, release)
            auxiliary = preprocessing.random_views(defense, threat.auxiliary_images, generator)
            threat = dataclasses.replace(threat, auxiliary_images=auxiliary)
        with draw_from(model, generator):
            guess = self.attack.reconstruct(
                model, victim.loss, release, threat, generator=generator
            )
        if not threat.adaptive or preprocessing.ways(defense) == 1:
            return guess
        auxiliary = self.threat.auxiliary_images.cpu()
        if guess.attack == "prior":  # it says nothing of this image: there is nothing to undo
            mean = auxiliary.mean(0).expand_as(guess.images).clone()
            return dataclasses.replace(guess, images=mean)
        return dataclasses.replace(guess, images=undo_view(defense, guess.images, auxiliary))

    def rank(
        self,
        release: Release,
        grads: Gradients,
        images: Tensor,
        labels: Tensor,
        *,
        generator: torch.Generator,
        clock: Clock | None = None,
    ) -> int | None:
        """The place of the private pair among the candidates, see `Lineup.rank`.

        Args:
            release: of the victim.
            grads: per-example gradients of the private batch, as the victim took them.
            images: (B, C, H, W), the private ones.
            labels: (B,) int64.
            generator: breaks ties; draws for a naive adversary whose model draws.
            clock: see `Lineup.rank`.

        Returns:
            1 (named first) to N; None where the game is not played, for a batch of more than one
            example, for a weight difference or for want of candidates, or where the clock ended
            it.
        """
        lineup = self.candidates
        if lineup is None or len(images) != 1 or lineup.size == 1 or self.threat.local:
            return None
        try:
            if not preprocessing.stages(self.threat.defense):
                return lineup.rank(release, self.threat, grads, generator=generator, clock=clock)
            if self.threat.adaptive:
                model, release = preprocessing.solve(self.threat.defense, lineup.model, release)
                if model is not lineup.model:
                    lineup = dataclasses.replace(lineup, model=model)
            with draw_from(lineup.model, generator):
                own = lineup.gradients(images, labels)
                return lineup.rank(release, self.threat, own, generator=generator, clock=clock)
        except TimeIsUp:
            return None


def _refuse_unusable(model: nn.Module, release: Release) -> None:
    """Raise `BadInput` where a release is not of finite values in the parameters' shapes."""
    if not all(bool(torch.isfinite(value).all()) for value in release.update.values()):
        raise BadInput("the update holds NaN or infinite values: there is nothing to attack")
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}
    for name, value in release.update.items():
        if name in shapes and tuple(value.shape) != shapes[name]:
            raise BadInput(
                f"the update of {name!r} has shape {tuple(value.shape)}; the parameter's is "
                f"{shapes[name]}: a release sums over the examples"
            )
