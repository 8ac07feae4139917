"""Whether a guess says more of a captured update than a guess that knows nothing would."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.invert.adversary import Adversary
from attacks.invert.contract import Guess, Inversion
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.objective import Residual, noise_std, residual
from attacks.invert.methods.bayes import Bayes
from attacks.invert.methods.dlg import DLG
from attacks.invert.methods.geiping import Geiping
from attacks.invert.methods.sme import SME
from attacks.invert.victim import Victim
from defenses import Release, stream
from reports.commands.progress import Report
from reports.records.explained import Explained

PUBLIC = 99
"""So many guesses of public images: one of 100 that know nothing is among the five best."""
SHORT = 100
"""Gradients per image of each attack that is run on the release and on noise alike."""


@dataclass(frozen=True)
class Trial:
    """What a captured update is attacked with, and what was found.

    Attributes:
        victim: whose model and loss are known; its defense does nothing before the gradient.
        adversary: who made the guess.
        release: the update.
        guess: what the adversary makes of the release.
        seed: of what is drawn here.
    """

    victim: Victim
    adversary: Adversary
    release: Release
    guess: Guess
    seed: int


def weigh(trial: Trial, noises: int, report: Report) -> Explained:
    """How much of the release the guess explains, beside what public images and noise get.

    Two null hypotheses are tested. *The guess was made without looking*: it is one of many
    public images, under the labels that were found, and among the five of ``PUBLIC + 1`` that
    explain the release best in 5 of as many cases (not the first: the private image may be
    public). *The release says nothing of images*: the sign of each of its values is random.
    Releases of the same values under other signs are then drawn like it, so that a short attack
    explains most of the true one, among ``noises + 1`` attacked alike, in 1 of ``noises + 1`` cases
    (a randomisation test: exact whatever the attack is). After local steps the labels that were
    found in the release are taken for those of the noise as well, so that the rate is not exact,
    which is said.

    Args:
        trial: what was attacked and found.
        noises: how many releases of random signs are attacked; 0: the second null hypothesis is
            not tested.
        report: told of progress.
    """
    compare, like = _comparison(trial.victim, trial.release, trial.adversary, trial.guess.labels)
    images = trial.guess.images.to(like)
    fit, std = Fit.of(compare, images), noise_std(trial.release, trial.adversary.threat)
    public, rivals = [], 0
    for batch in _public_batches(trial):
        public.append(explained_share(compare, batch.to(like)))
        rivals += Fit.of(compare, batch.to(like)).is_explained(std)
    attacked = []
    for index in range(noises + 1 if noises else 0):
        report(f"attacking noise of the same size: {index} of {noises}", index, noises + 1)
        attacked.append(_short_share(trial, index))
    return Explained(
        guess=explained_share(compare, images),
        left=min(1.0, math.sqrt(fit.share)),
        all_but_noise=fit.is_explained(std),
        determined=fit.seen >= images.numel(),
        rivals=rivals,
        public=public,
        short=attacked[0] if attacked else None,
        noise=attacked[1:],
        looked=trial.guess.attack != "prior",
        lent=_lends(trial),
    )


def _lends(trial: Trial) -> bool:
    """Whether labels found in the release are given to noise.

    To find labels of local steps anew takes too long, and those of several rounds are told by the
    first. Nobody but the release tells labels of a captured update.
    """
    threat = trial.adversary.threat
    return threat.local is not None or threat.labels is not None


def explained_share(compare: Residual, images: Tensor) -> float:
    """The share in [0, 1] of the release's squares that images explain at their best scale.

    It is the squared cosine of what they would have caused and of what was observed, and 0 where
    that points away. The scale is free, for a learning rate or a clipping bound that is not known
    exactly says nothing of the images.

    Args:
        compare: see `residual`.
        images: (B, C, H, W) of its precision and device.
    """
    caused, observed = (t.detach() for t in compare(images))
    size = float(caused.norm() * observed.norm())
    cosine = float(caused @ observed) / size if size > 0 else 0.0
    return min(1.0, max(0.0, cosine)) ** 2


def _comparison(
    victim: Victim, release: Release, adversary: Adversary, labels: Tensor
) -> tuple[Residual, Tensor]:
    """What candidates explain beside what was observed, and a tensor like the images it takes."""
    compare = residual(victim.model, victim.loss, release, adversary.threat, labels)
    device = next(victim.model.parameters()).device
    return compare, torch.empty(0, dtype=torch.float64, device=device)


def _public_batches(trial: Trial) -> Iterator[Tensor]:
    """Batches of public images drawn at random, (B, C, H, W) each; at most `PUBLIC`."""
    own = trial.adversary.threat.auxiliary_images
    size = trial.adversary.threat.batch_size
    draw = stream(trial.seed, "public guesses")
    if size == 1:
        for index in torch.randperm(len(own), generator=draw)[:PUBLIC]:
            yield own[index][None]
    elif size <= len(own):
        for _ in range(PUBLIC):
            yield own[torch.randperm(len(own), generator=draw)[:size]]


def _short_share(trial: Trial, index: int) -> float:
    """What a short attack explains of the release (index 0), or of it under random signs."""
    release, threat = trial.release, trial.adversary.threat
    if index:
        draw = stream(trial.seed, "noise", index)
        update = {k: v * _signs(v, draw) for k, v in release.update.items()}
        release = dataclasses.replace(release, update=update)
    known = trial.guess.labels if threat.local is not None else threat.labels
    most = threat.allowed(SHORT)
    threat = dataclasses.replace(threat, labels=known, evaluations=most, seconds=math.inf)
    attack = _short(trial.adversary.attack, trial.guess.attack)
    adversary = dataclasses.replace(trial.adversary, attack=attack, threat=threat)
    # The same draws for all: only the release differs.
    guess = adversary.guess(trial.victim, release, generator=stream(trial.seed, "short attack"))
    compare, like = _comparison(trial.victim, release, adversary, guess.labels)
    return explained_share(compare, guess.images.to(like))


def _signs(like: Tensor, draw: torch.Generator) -> Tensor:
    """1 or -1 at random, like a tensor."""
    return torch.randint(0, 2, like.shape, generator=draw).to(like) * 2 - 1


def _short(attack: Inversion, name: str) -> Inversion:
    """The attack that made the guess, by few evaluations; another where it is not a descent."""
    for one in (attack, *getattr(attack, "plan", ())):
        if one.name == name and isinstance(one, Bayes | DLG | Geiping | SME):
            return dataclasses.replace(one, iterations=SHORT)
    return Geiping(iterations=SHORT)
