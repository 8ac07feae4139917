"""A batch of the adversary's own, released as the victim's is, on which attacks are tried."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.adversary import Adversary
from attacks.invert.contract import Guess, Inversion, Loss, Threat
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.matching.objective import residual
from attacks.invert.victim import Victim
from defenses import Release


@dataclass(frozen=True)
class Rehearsal:
    """What the adversary knows all of, and pretends to see only the release of.

    Attributes:
        victim: whose part the adversary plays.
        images: (B, C, H, W) on the model's device.
        labels: (B,) as the adversary finds them, errors included. They are the true ones where
            labels are always known, or where their order is sought: that would cost more than
            what is practised.
        release: of the batch.
        state: of the generator after the release.
    """

    victim: Victim
    images: Tensor
    labels: Tensor
    release: Release
    state: Tensor

    @classmethod
    def of(
        cls,
        model: nn.Module,
        loss: Loss,
        threat: Threat,
        images: Tensor,
        labels: Tensor,
        blind: Inversion,
        *,
        generator: torch.Generator,
    ) -> Rehearsal:
        """Release a batch of one's own, and find its labels once for all that is tried on it.

        Args:
            model: of the victim.
            loss: of the victim.
            threat: what the adversary has beside the batch.
            images: (B, C, H, W) in [0, 1].
            labels: (B,) int64.
            blind: guesses without the image; its labels are those that any other would find.
            generator: of the release; left as it was.
        """
        images = images.to(next(model.parameters()).device)
        defense = threat.defense if threat.adaptive else defenses.get("none")
        state = generator.get_state()
        victim = Victim(model, loss, defense, take=_counted_gradients, local=threat.local)
        victim = dataclasses.replace(victim, statistics=threat.statistics)
        grads = victim.gradients(images, labels.to(images.device), generator=generator)
        release = victim.release(grads, images, generator=generator)
        after = generator.get_state()
        if threat.labels is None and threat.local is None:
            labels = Adversary(blind, threat).guess(victim, release, generator=generator).labels
        generator.set_state(state)
        return cls(victim, images, labels, release, after)

    def error(self, attack: Inversion, threat: Threat, *, generator: torch.Generator) -> float:
        """Log squared error of an attack, summed over the batch; each image's nearest guess counts.

        Args:
            attack: to be tried.
            threat: what the adversary has, this batch's labels aside.
            generator: left as it was; the attack starts from the state after the release, whichever
                it is, so that only the attack differs.
        """
        guess = self._guess(attack, threat, generator)
        errors = (guess.images[None] - self.images.cpu()[:, None]).square().flatten(2).mean(2)
        return float(errors.amin(1).clamp(min=1e-6).log().sum())

    def left(self, attack: Inversion, threat: Threat, *, generator: torch.Generator) -> float:
        """The share of the release, in squares, that an attack's guess leaves unexplained.

        Args:
            attack: see `error`.
            threat: see `error`.
            generator: see `error`.
        """
        guess, device = self._guess(attack, threat, generator), self.images.device
        model, loss = self.victim.model, self.victim.loss
        compare = residual(model, loss, self.release, threat, guess.labels)
        return Fit.of(compare, guess.images.double().to(device)).share

    def _guess(self, attack: Inversion, threat: Threat, generator: torch.Generator) -> Guess:
        state = generator.get_state()
        generator.set_state(self.state)
        adversary = Adversary(attack, dataclasses.replace(threat, labels=self.labels))
        guess = adversary.guess(self.victim, self.release, generator=generator)
        generator.set_state(state)
        return guess


def _counted_gradients(
    model: nn.Module, loss: Loss, images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """Per-example gradients, detached, counted as the attack's own."""
    return candidate_gradients(model, loss, images, labels, differentiable=False)
