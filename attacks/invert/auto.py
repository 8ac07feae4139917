"""The attacker who tries what applies, cheapest first, after practising on images of its own."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.analytic import Analytic
from attacks.invert.bayes import Bayes
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.dlg import DLG
from attacks.invert.geiping import Geiping
from attacks.invert.labels import recover_labels
from attacks.invert.matching import candidate_gradients, is_explained, noise_std, residual
from defenses import Release

DLG_WEIGHTS = (1e-5, 1e-3, 1e-1)
GEIPING_WEIGHTS = (1e-4, 1e-2)
PRACTICE = 0.3
"""Share of the iterations, and of the time per image, that one practice run gets."""


@registry.register("auto")
@dataclass(frozen=True)
class Auto(Inversion):
    """Analytic, then the optimisers in the order and with the TV weight that practice favours.

    `tuned` lets the adversary defend images of its own, attack them, and rank ``bayes``,
    ``dlg`` and ``geiping`` over a grid of TV weights by how well they did. `reconstruct` then
    goes down that list until a guess explains the release or time is up, and keeps the guess
    of lowest energy: never the truth, which it does not have.
    """

    iterations: int = defenses.option(400, "evaluations per attack tried", low=1)
    practice: int = defenses.option(2, "own batches to practise on; 0 skips it", low=0)
    plan: tuple[Inversion, ...] = dataclasses.field(
        default=(Bayes(), DLG(), Geiping()), metadata={"hidden": True}
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
        for attack in (Analytic(), *self.plan):
            left = budget - (time.monotonic() - began)
            if attack.refusal(model, threat) or (guesses and left <= 0):
                continue
            allowed = dataclasses.replace(threat, seconds=max(left, 0.01) / threat.batch_size)
            guess = _limited(attack, self.iterations).reconstruct(
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
        trials = [Bayes(), *(DLG(tv=w) for w in DLG_WEIGHTS)]
        trials += [Geiping(tv=w) for w in GEIPING_WEIGHTS]
        size = threat.batch_size
        batches = min(self.practice, len(threat.auxiliary_images) // size)
        if batches == 0:
            return self
        scores = dict.fromkeys(trials, 0.0)
        practice = dataclasses.replace(threat, seconds=threat.seconds * PRACTICE, labels=None)
        order = torch.randperm(len(threat.auxiliary_images), generator=generator)
        for turn in range(batches):
            index = order[turn * size : (turn + 1) * size]
            device = next(model.parameters()).device
            images = threat.auxiliary_images[index].to(device)
            labels = threat.auxiliary_labels[index].to(device)
            grads = candidate_gradients(model, loss, images, labels, differentiable=False)
            defense = threat.defense if threat.adaptive else defenses.get("none")
            release = defense.release(grads, generator=generator)
            known = dataclasses.replace(practice, labels=labels.cpu())
            for trial in trials:
                brief = _limited(trial, max(1, int(self.iterations * PRACTICE)))
                guess = brief.reconstruct(model, loss, release, known, generator=generator)
                scores[trial] += _log_error(guess.images, images.cpu())
        ranked = sorted(trials, key=lambda t: scores[t])
        plan = [t for i, t in enumerate(ranked) if t.name not in {r.name for r in ranked[:i]}]
        return dataclasses.replace(self, plan=tuple(plan))


def _limited(attack: Inversion, iterations: int) -> Inversion:
    """The attack with at most so many iterations and a single start."""
    if isinstance(attack, DLG):
        return dataclasses.replace(attack, iterations=iterations, restarts=1)
    if isinstance(attack, Bayes | Geiping):
        return dataclasses.replace(attack, iterations=iterations)
    return attack


def _log_error(guess: Tensor, truth: Tensor) -> float:
    """Sum over own images of the log squared error of the guess closest to each."""
    errors = (guess[None] - truth[:, None]).square().flatten(2).mean(2).amin(1)
    return float(errors.clamp(min=1e-6).log().sum()) if len(errors) else math.inf
