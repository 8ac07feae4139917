"""The attacker who tries what applies, cheapest first, after practising on images of its own."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass

import torch
from torch import nn

import defenses
from attacks.invert.before.rehearsal import Rehearsal
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import (
    Fit,
    noise_std,
    residual,
    support,
)
from attacks.invert.methods.analytic import Analytic
from attacks.invert.methods.bayes import Bayes
from attacks.invert.methods.dlg import DLG
from attacks.invert.methods.geiping import Geiping
from attacks.invert.methods.lti import FEWEST, Lti
from attacks.invert.methods.peel import Peel
from attacks.invert.methods.prior import Prior
from attacks.invert.methods.sme import SME
from attacks.invert.methods.spear import Spear
from defenses import Release

WEIGHTS = {"bayes": (1e-5, 1e-4, 1e-3), "dlg": (1e-5, 1e-4, 1e-3), "geiping": (1e-4, 1e-3, 1e-2)}
"""Total-variation weights tried for the family that does best."""
REBUILT = math.log(1e-3)
"""Log squared error of an own image below which an exact attack has shown that it works: 30 dB."""
CLOSER = math.log(2)
"""By how much the log squared error of peeling must fall below guessing's, 3 dB, so that matching
features takes the place of matching gradients."""
REPLACED = ("dlg", "geiping")
PRACTICE = 0.3
"""Share of the iterations that one practice run gets."""
PEELED = 0.01
"""A peeled image that leaves less of the release unexplained is not doubted."""


@registry.register("auto")
@dataclass(frozen=True)
class Auto(Inversion):
    """What is exact, then the optimisers in the order and with the TV weight that practice favours.

    `tuned` first tries what is exact and cheapest, ``analytic`` (of batches ``spear``) and
    ``peel``, on images of the adversary's own, defended like the victim's; where one rebuilds
    them, nothing else is practised. Where ``peel`` rebuilds them in part, it comes first all the
    same, with all that its own options say, and takes the place of ``dlg`` and ``geiping``: on
    ReLU networks features are matched better than gradients. Otherwise ``bayes``, ``dlg``,
    ``geiping``, ``peel`` and ``prior`` (under noise ``analytic`` too) are ranked by how well they
    do on such images, and the first one's TV weight is chosen from a grid. A plan that ranks
    ``prior`` first stops there: to go on would be to fit noise.
    After several local steps ``sme`` is ranked too, and where coordinates of one example are
    missing ``lti``, which learns from the auxiliary images and from `learn` others.
    `reconstruct` then goes down that list, each attack with half the evaluations of the one
    before, all its stages together, until a guess explains the release or time is up, and keeps
    the guess of lowest energy: never the truth, which it does not have. All of that is counted in
    evaluations (see `attacks.invert.matching.meter.spend`): what is exact has as many as its own
    options say where it is tried first, and a run that ranks has `PRACTICE` of ``iterations``,
    whatever the attack. Where ``threat.seconds`` guards, practice that is cut short ranks what it
    has tried, and every guess that follows from it is marked.
    """

    iterations: int = defenses.option(
        400, "evaluations of the first optimiser, halved for each next", low=1
    )
    practice: int = defenses.option(2, "own batches to practise on; 0 skips it", low=0)
    learn: int = defenses.option(
        0, "further images that lti learns from where coordinates are missing", low=0
    )
    exact: tuple[Inversion, ...] = dataclasses.field(
        default=(Analytic(), Spear(), Peel()), metadata={"hidden": True}
    )
    plan: tuple[Inversion, ...] = dataclasses.field(
        default=(Bayes(), DLG(), Geiping(), Prior()), metadata={"hidden": True}
    )
    hurried: bool = dataclasses.field(default=False, metadata={"hidden": True})

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; what is allowed covers all attacks together."""
        clock, given = threat.clock(), threat.labels
        labels = recover_labels(model, loss, release, threat)
        threat = dataclasses.replace(threat, labels=labels)
        compares = {tuple(labels.tolist()): residual(model, loss, release, threat, labels)}
        device = next(model.parameters()).device
        std = noise_std(release, threat)
        guesses: list[Guess] = []
        # Under noise a closed form may explain the release and still be noise: practice decides.
        first = () if has_noise(threat) and self.plan else self._exact(threat)
        for turn, attack in enumerate((*first, *self.plan), start=1 - len(first)):
            spent = sum(g.iterations for g in guesses)
            done = clock.over or (threat.evaluations is not None and spent >= threat.evaluations)
            if attack.refusal(model, threat) or (guesses and done):
                continue
            rest = _rest(threat, spent, clock)
            if turn > 0:
                attack, rest = _limit(attack, max(1, 2 * self.iterations >> turn), rest)
            if isinstance(attack, Spear):  # it names exact images better than counts do
                rest = dataclasses.replace(rest, labels=given)
            guess = attack.reconstruct(model, loss, release, rest, generator=generator)
            guesses.append(guess)
            key = tuple(guess.labels.tolist())
            if key not in compares:  # peeling tells which label goes with which image
                compares[key] = residual(model, loss, release, threat, guess.labels)
            shown = guess.images.double().to(device)
            fit = Fit.of(compares[key], shown)
            # Matched features leave little unexplained; a walk that failed here leaves much.
            if fit.is_explained(std) or (isinstance(attack, Peel) and fit.share < PEELED):
                break
        best = min(guesses, key=lambda g: g.energy)
        return dataclasses.replace(
            best,
            iterations=sum(g.iterations for g in guesses),
            stopped="time" if clock.over or self.hurried else best.stopped,
        )

    def learns_from(self) -> int:
        """See `Inversion.learns_from`."""
        return self.learn

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Auto:
        """Rank the attacks and their TV weights on auxiliary batches defended like the victim's."""
        clock = threat.clock()
        size = threat.batch_size
        batches = min(self.practice, len(threat.auxiliary_images) // size)
        if batches == 0:
            return self
        order = torch.randperm(len(threat.auxiliary_images), generator=generator)
        chosen = order[: batches * size].split(size)
        batch_of = [(threat.auxiliary_images[i], threat.auxiliary_labels[i]) for i in chosen]
        # What practice is about must not be among what the adversary looks at.
        if len(rest := order[batches * size :].sort().values):
            images, labels = threat.auxiliary_images[rest], threat.auxiliary_labels[rest]
            threat = dataclasses.replace(threat, auxiliary_images=images, auxiliary_labels=labels)
        own = [
            Rehearsal.of(model, loss, _rest(threat, 0, clock), *batch, Prior(), generator=generator)
            for batch in batch_of
        ]
        noisy = has_noise(threat)
        useful = tuple(
            exact.tuned(model, loss, threat, generator=generator)
            for exact in self._exact(threat)
            if not exact.refusal(model, threat)
        )
        plan = self.plan
        partly: tuple[Inversion, ...] = ()
        if threat.local is not None and threat.local.steps > 1:
            plan = (*plan, SME())
        if _misses(own[0].release, threat):
            lti = Lti(learn=max(FEWEST, len(threat.learning)))
            plan = (*plan, lti.tuned(model, loss, threat, generator=generator))
        for trial in () if noisy else useful:
            told = self._practise(trial, threat, own[0], clock, generator, whole=True)
            if told < REBUILT * size:
                return dataclasses.replace(self, exact=(trial,), plan=plan, hurried=clock.over)
            if isinstance(trial, Peel):
                blind = self._practise(Prior(), threat, own[0], clock, generator)
                if told < blind - CLOSER * size:
                    plan = tuple(other for other in plan if other.name not in REPLACED)
                    partly = (trial,)
        # What comes first anyway is not ranked.
        useful = tuple(trial for trial in useful if trial not in partly)
        trials = (*useful, *plan) if noisy else (*plan, *useful)
        # ``lti`` has too few images to learn from where a user's own data are few.
        trials = tuple(trial for trial in trials if not trial.refusal(model, threat))
        runs = (len(trials) + 3) * len(own)  # the grid has three
        hurried = False

        def error(trial: Inversion) -> float:
            nonlocal runs, hurried
            total = 0.0
            for batch in own:
                if clock.over:  # sorted is stable: what was not tried stays in its order
                    hurried = True
                    return math.inf
                share, runs = clock.part(1 / max(1, runs)), runs - 1
                total += self._practise(trial, threat, batch, share, generator)
                hurried |= share.over
            return total

        ranked = sorted(trials, key=error)
        best = ranked[0]
        # With noise `bayes` takes its weights from the spectrum: there is no grid to search.
        if best.name in WEIGHTS and not (noisy and best.name == "bayes"):
            grid = [dataclasses.replace(best, tv=w) for w in WEIGHTS[best.name]]  # type: ignore[call-arg]
            errors = [error(trial) for trial in grid]
            if math.isfinite(min(errors)):
                best = grid[errors.index(min(errors))]
        # What practice ranks behind the prior does worse than a guess without the release.
        ahead = itertools.takewhile(lambda trial: trial.name != "prior", ranked[1:])
        later = () if best.name == "prior" else tuple(ahead)
        exact = tuple(trial for trial in self.exact if isinstance(trial, Analytic | Spear))
        return dataclasses.replace(
            self, exact=(*exact, *partly), plan=(best, *later), hurried=hurried
        )

    def _exact(self, threat: Threat) -> tuple[Inversion, ...]:
        """What is exact and worth trying: of one example `Analytic` sees all that `Spear` does."""
        if threat.batch_size > 1 and not has_noise(threat):
            return self.exact
        return tuple(attack for attack in self.exact if not isinstance(attack, Spear))

    def _practise(
        self,
        trial: Inversion,
        threat: Threat,
        own: Rehearsal,
        clock: Clock,
        generator: torch.Generator,
        *,
        whole: bool = False,
    ) -> float:
        """Log squared error of an attack on the adversary's own batch under the defense.

        With as many evaluations as its options say, where ``whole``; else with few.
        """
        known = _rest(threat, 0, clock)
        if not whole:
            few = max(1, int(threat.allowed(self.iterations) * PRACTICE))
            trial, known = _limit(trial, few, known)
        return own.error(trial, known, generator=generator)


def _misses(release: Release, threat: Threat) -> bool:
    """Whether coordinates of one example's gradient are missing, so that learning pays."""
    if threat.batch_size > 1 or threat.local is not None or not threat.adaptive:
        return False
    return not all(bool(mask.all()) for mask in support(release, threat).values())


def _rest(threat: Threat, spent: int, clock: Clock) -> Threat:
    """The threat with what is left of its evaluations and of its time."""
    evaluations = None if threat.evaluations is None else max(1, threat.evaluations - spent)
    seconds = max(clock.left, 1e-3) / threat.batch_size
    return dataclasses.replace(threat, evaluations=evaluations, seconds=seconds)


def has_noise(threat: Threat) -> bool:
    """Whether this adversary knows of noise on the release."""
    known = threat.defense.public(threat.batch_size)
    return threat.adaptive and float(known.get("noise_std", 0)) > 0


def _limit(attack: Inversion, evaluations: int, threat: Threat) -> tuple[Inversion, Threat]:
    """The attack and the threat with at most so many evaluations, and a single start."""
    most = threat.allowed(evaluations)
    if isinstance(attack, DLG):
        attack = dataclasses.replace(attack, iterations=evaluations, restarts=1)
    elif isinstance(attack, Bayes | Geiping | Lti | SME):
        attack = dataclasses.replace(attack, iterations=evaluations)
    return attack, dataclasses.replace(threat, evaluations=most)
