"""The attacker who tries what applies, cheapest first, after practising on images of its own."""

from __future__ import annotations

import dataclasses
import itertools
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.analytic import Analytic
from attacks.invert.bayes import Bayes
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.dlg import DLG
from attacks.invert.exposure import attacked, exposed
from attacks.invert.geiping import Geiping
from attacks.invert.labels import recover_labels
from attacks.invert.matching import candidate_gradients, is_explained, noise_std, residual
from attacks.invert.prior import Prior
from defenses import Release

WEIGHTS = {"bayes": (1e-5, 1e-4, 1e-3), "dlg": (1e-5, 1e-4, 1e-3), "geiping": (1e-4, 1e-3, 1e-2)}
"""Total-variation weights tried for the family that does best."""
PRACTICE = 0.3
"""Share of the iterations, and of the time per image, that one practice run gets."""


@registry.register("auto")
@dataclass(frozen=True)
class Auto(Inversion):
    """Analytic, then the optimisers in the order and with the TV weight that practice favours.

    `tuned` lets the adversary defend images of its own, attack them, rank ``bayes``, ``dlg``,
    ``geiping`` and ``prior`` (under noise ``analytic`` too) by how well they did, and choose the
    first one's TV weight from a grid. A plan that ranks ``prior`` first stops there: to go on
    would be to fit noise.
    `reconstruct` then goes down that list, each attack with half the iterations of the one
    before, until a guess explains the release or time is up, and keeps the guess of lowest
    energy: never the truth, which it does not have.
    """

    iterations: int = defenses.option(
        400, "evaluations of the first optimiser, halved for each next", low=1
    )
    practice: int = defenses.option(2, "own batches to practise on; 0 skips it", low=0)
    plan: tuple[Inversion, ...] = dataclasses.field(
        default=(Bayes(), DLG(), Geiping(), Prior()), metadata={"hidden": True}
    )

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; the budget covers all attacks together."""
        began = time.monotonic()
        budget = threat.seconds * threat.batch_size
        labels = recover_labels(model, loss, release, threat)
        threat = dataclasses.replace(threat, labels=labels)
        compare = residual(model, loss, release, threat, labels)
        device = next(model.parameters()).device
        std = noise_std(release, threat)
        guesses: list[Guess] = []
        # Under noise a closed form may explain the release and still be noise: practice decides.
        first = () if _noisy(threat) else (Analytic(),)
        for turn, attack in enumerate((*first, *self.plan), start=1 - len(first)):
            left = budget - (time.monotonic() - began)
            if attack.refusal(model, threat) or (guesses and left <= 0):
                continue
            allowed = dataclasses.replace(threat, seconds=max(left, 0.01) / threat.batch_size)
            guess = _limited(attack, max(1, 2 * self.iterations >> turn)).reconstruct(
                model, loss, release, allowed, generator=generator
            )
            guesses.append(guess)
            if is_explained(compare, guess.images.double().to(device), release, std):
                break
        best = min(guesses, key=lambda g: g.energy)
        return dataclasses.replace(
            best,
            iterations=sum(g.iterations for g in guesses),
            stopped="time" if any(g.stopped == "time" for g in guesses) else best.stopped,
        )

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Auto:
        """Rank the attacks and their TV weights on auxiliary batches defended like the victim's."""
        size = threat.batch_size
        batches = min(self.practice, len(threat.auxiliary_images) // size)
        if batches == 0:
            return self
        order = torch.randperm(len(threat.auxiliary_images), generator=generator)
        own = [order[k * size : (k + 1) * size] for k in range(batches)]

        def error(trial: Inversion) -> float:
            return sum(self._practise(trial, model, loss, threat, i, generator) for i in own)

        trials: tuple[Inversion, ...] = self.plan
        noisy = _noisy(threat)
        if noisy and not Analytic().refusal(model, threat):
            trials = (Analytic(), *trials)
        ranked = sorted(trials, key=error)
        best = ranked[0]
        # With noise `bayes` takes its weights from the spectrum: there is no grid to search.
        if best.name in WEIGHTS and not (noisy and best.name == "bayes"):
            grid = [dataclasses.replace(best, tv=w) for w in WEIGHTS[best.name]]  # type: ignore[call-arg]
            best = min(grid, key=error)
        # Whatever practice puts behind the prior is no help.
        useful = itertools.takewhile(lambda trial: trial.name != "prior", ranked[1:])
        later = () if best.name == "prior" else tuple(useful)
        return dataclasses.replace(self, plan=(best, *later))

    def _practise(
        self,
        trial: Inversion,
        model: nn.Module,
        loss: Loss,
        threat: Threat,
        index: Tensor,
        generator: torch.Generator,
    ) -> float:
        """Log squared error of an attack on the adversary's own batch under the defense."""
        device = next(model.parameters()).device
        images = threat.auxiliary_images[index].to(device)
        labels = threat.auxiliary_labels[index]
        defense = threat.defense if threat.adaptive else defenses.get("none")
        # The same draws and start for every trial: only the attack differs.
        state = generator.get_state()
        grads = exposed(
            _taken, model, loss, defense, images, labels.to(device), generator=generator
        )
        release = defense.release(grads, generator=generator)
        # Labels are recovered in practice too, errors included, unless they are always known.
        own = None if threat.labels is None else labels
        known = dataclasses.replace(threat, seconds=threat.seconds * PRACTICE, labels=own)
        brief = _limited(trial, max(1, int(self.iterations * PRACTICE)))
        guess = attacked(brief, model, loss, release, known, generator=generator)
        generator.set_state(state)
        errors = (guess.images[None] - images.cpu()[:, None]).square().flatten(2).mean(2)
        return float(errors.amin(1).clamp(min=1e-6).log().sum())


def _taken(model: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Per-example gradients, detached."""
    return candidate_gradients(model, loss, images, labels, differentiable=False)


def _noisy(threat: Threat) -> bool:
    """Whether this adversary knows of noise on the release."""
    known = threat.defense.public(threat.batch_size)
    return threat.adaptive and float(known.get("noise_std", 0)) > 0


def _limited(attack: Inversion, iterations: int) -> Inversion:
    """The attack with at most so many iterations and a single start."""
    if isinstance(attack, DLG):
        return dataclasses.replace(attack, iterations=iterations, restarts=1)
    if isinstance(attack, Bayes | Geiping):
        return dataclasses.replace(attack, iterations=iterations)
    return attack
