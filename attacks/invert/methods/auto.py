"""The attacker who tries what applies, cheapest first, after practising on images of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import nn

import defenses
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.methods.analytic import Analytic
from attacks.invert.methods.bayes import Bayes
from attacks.invert.methods.dlg import DLG
from attacks.invert.methods.geiping import Geiping
from attacks.invert.methods.lti import FEWEST, Lti
from attacks.invert.methods.peel import Peel
from attacks.invert.methods.prior import Prior
from attacks.invert.methods.sme import SME
from attacks.invert.methods.spear import Spear
from attacks.invert.practice.effort import effort, has_noise
from attacks.invert.practice.exact import rebuilder
from attacks.invert.practice.facts import misses
from attacks.invert.practice.limits import limit, threat_left
from attacks.invert.practice.practice import Practice
from attacks.invert.practice.rank import rank_attacks
from defenses import Release

REPLACED = ("dlg", "geiping")
PRACTICE = 0.3
"""Share of the iterations that one practice run gets."""
PEELED = 0.01
"""A peeled image that leaves less of the release unexplained is not doubted."""
BAFFLED, FAIR = 10, 0.03
"""A naive adversary gives up where a brief run leaves so many times as much of the release, in
squares, as of undefended ones of its own, and more than this share of it."""
HIDDEN = {"hidden": True}
"""Of a field that is no flag."""


@registry.register("auto")
@dataclass(frozen=True)
class Auto(Inversion):
    """What is exact, then the optimisers in the order and with the TV weight that practice favours.

    `tuned` first tries what is exact and cheapest, ``analytic`` (of batches ``spear``) and
    ``peel``, on images of the adversary's own, defended like the victim's; where one rebuilds
    them, nothing else is practised. Where ``peel`` rebuilds them in part, it comes first all the
    same, with all that its own options say, and takes the place of ``dlg`` and ``geiping``: on
    ReLU networks features are matched better than gradients; what is tried after it has the
    evaluations of a practice run, no more. Where a layer without a rule or a group normalisation
    lies above the first weight, ``peel`` practises as briefly as an optimiser. Otherwise
    ``bayes``, ``dlg``, ``geiping``, ``peel`` and ``prior`` (under noise ``analytic`` too) are
    ranked on such images, and the first one's TV weight is chosen from a grid. A plan that ranks
    ``prior`` first stops there: to go on would be to fit noise.
    After several local steps ``sme`` is ranked too, and where coordinates of one example are
    missing ``lti``, which learns from the auxiliary images and from `learn` others.
    `reconstruct` then goes down that list, each attack with half the evaluations of the one
    before, all its stages together, until a guess explains the release or time is up, and keeps
    the guess of lowest energy: never the truth, which it does not have. A naive adversary, to whom
    the release is undefended, begins with a run as brief as those of practice, and ends there by
    `BAFFLED` and `FAIR`: to go on, on training images, led away from most. All is counted in
    evaluations (see `attacks.invert.matching.meter.spend`): what is exact has as many as its own
    options say where it is tried first, a run that ranks has `PRACTICE` of ``iterations``, whatever
    the attack, and the first optimiser on a batch as many as `effort` says. Where
    ``threat.seconds`` guards, practice that is cut short ranks what it has tried, and every guess
    that follows from it is marked.
    """

    iterations: int = defenses.option(
        400,
        "evaluations of the first optimiser, halved for each next; of batches up to ten times as"
        " many",
        low=1,
    )
    practice: int = defenses.option(2, "own batches to practise on; 0 skips it", low=0)
    learn: int = defenses.option(
        0, "further images that lti learns from where coordinates are missing", low=0
    )
    exact: tuple[Inversion, ...] = field(default=(Analytic(), Spear(), Peel()), metadata=HIDDEN)
    plan: tuple[Inversion, ...] = field(
        default=(Bayes(), DLG(), Geiping(), Prior()), metadata=HIDDEN
    )
    hurried: bool = field(default=False, metadata=HIDDEN)
    left: float | None = field(default=None, metadata=HIDDEN)
    peels: bool = field(default=False, metadata=HIDDEN)
    note: str = field(default="", metadata=HIDDEN)

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
        most, guesses = effort(self.iterations, threat), list[Guess]()
        # Under noise a closed form may explain the release and still be noise: practice decides.
        first = () if has_noise(threat) and self.plan else self._exact(threat)
        tries = not threat.adaptive and threat.evaluations is None and self.left is not None
        brief = self.plan[:1] if tries else ()
        attacks = (*first, *brief, *self.plan)
        fallback = self._brief(threat) if self.peels else most
        for turn, attack in enumerate(attacks, start=1 - len(first) - len(brief)):
            spent = sum(g.iterations for g in guesses)
            done = clock.over or (threat.evaluations is not None and spent >= threat.evaluations)
            if attack.refusal(model, threat) or (guesses and done):
                continue
            rest = threat_left(threat, spent, clock)
            if turn > 0:
                attack, rest = limit(attack, min(fallback, max(1, 2 * most >> turn)), rest)
            elif brief and turn == 0:
                attack, rest = limit(attack, self._brief(threat), rest)
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
            if brief and turn == 0 and fit.share > max(FAIR, BAFFLED * (self.left or 0.0)):
                break
        best = min(guesses, key=lambda g: g.energy)
        return dataclasses.replace(
            best,
            iterations=sum(g.iterations for g in guesses),
            stopped="time" if clock.over or self.hurried else best.stopped,
            note=best.note or self.note,
        )

    def learns_from(self) -> int:
        """See `Inversion.learns_from`."""
        return self.learn

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Auto:
        """Rank the attacks and their TV weights on auxiliary batches defended like the victim's."""
        batches = min(self.practice, len(threat.auxiliary_images) // threat.batch_size)
        if batches == 0:
            return self
        few, blind = self._brief(threat), Prior()
        practice = Practice.of(model, loss, threat, batches, few, blind, generator=generator)
        threat, noisy = practice.threat, has_noise(practice.threat)
        exact = tuple(
            trial.tuned(model, loss, threat, generator=generator)
            for trial in self._exact(threat)
            if not trial.refusal(model, threat)
        )
        plan = self.plan
        if threat.local is not None and threat.local.steps > 1:
            plan = (*plan, SME())
        if misses(practice.own[0].release, threat):
            lti = Lti(learn=max(FEWEST, len(threat.learning)))
            plan = (*plan, lti.tuned(model, loss, threat, generator=generator))
        peels = (trial for trial in exact if isinstance(trial, Peel))
        stops = next((trial.obstacle(model, threat) for trial in peels), "")
        briefly = ("peel",) if stops else ()
        works, whole = (None, False) if noisy else rebuilder(practice, exact, blind, briefly)
        if works and whole:
            hurried = practice.clock.over
            return dataclasses.replace(self, exact=(works,), plan=plan, hurried=hurried)
        if works:  # it comes first anyway: it is not ranked
            exact = tuple(trial for trial in exact if trial is not works)
            plan = tuple(trial for trial in plan if trial.name not in REPLACED)
        trials = (*exact, *plan) if noisy else (*plan, *exact)
        # ``lti`` has too few images to learn from where a user's own data are few.
        trials = tuple(trial for trial in trials if not trial.refusal(model, threat))
        plan = rank_attacks(practice, trials, noisy=noisy)
        others = (
            # Linear programs that found nothing of own images are not paid for by every batch.
            dataclasses.replace(trial, programs=0) if isinstance(trial, Spear) else trial
            for trial in self.exact
            if not isinstance(trial, Peel)
        )
        first = (*others, *([works] if works else []))
        undefended = not threat.adaptive or threat.defense == defenses.get("none")
        optimises = undefended and not isinstance(plan[0], Prior)
        left = practice.left(plan[0]) if optimises else None
        hurried = practice.hurried
        ready = dataclasses.replace(self, exact=first, plan=plan, left=left, hurried=hurried)
        note = "" if works or not stops else f"not peeled: {stops}"
        return dataclasses.replace(ready, peels=isinstance(works, Peel), note=note)

    def _brief(self, threat: Threat) -> int:
        """Evaluations per image of a run that shows whether an attack gets anywhere."""
        return max(1, int(threat.allowed(self.iterations) * PRACTICE))

    def _exact(self, threat: Threat) -> tuple[Inversion, ...]:
        """What is exact and worth trying: of one example `Analytic` sees all that `Spear` does."""
        if threat.batch_size > 1 and not has_noise(threat):
            return self.exact
        return tuple(attack for attack in self.exact if not isinstance(attack, Spear))
