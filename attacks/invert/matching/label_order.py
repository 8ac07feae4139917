"""Which labels a client's local steps saw, and in which order.

A weight difference depends on the order: the later an example, the further the weights have moved.
The adversary plays clients with images of its own and labels at random, learns from them what a
sequence of labels does to the difference, and asks which sequences explain the one that it sees.
Neither the images nor the labels of the victim enter.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.label_surprise import Sequences, learn_surprise, sort_steps
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.spectral import descend
from defenses import Release
from defenses.gradients import flat
from victims.gradients import LocalSteps

SWEEPS = 100
"""Rounds of the search at most; it ends where no neighbour is likelier."""
POOL = 16
"""Sequences that are kept while others are sought, and that are tried in the end."""
RACE = ((1e-2, 10, 4), (1e-3, 20, 1))
"""Noise relative to the release's norm, evaluations for each sequence, sequences that go on."""


def order_labels(model: nn.Module, loss: Loss, release: Release, threat: Threat) -> Tensor:
    """(B,) labels of a client in the order of its local steps, sorted within each step.

    Kernel ridge regression of each parameter's means, as the defense would release them, on the
    labels of played clients (kernel (1 + <o, o'>)^2 of the labels' counts o in each step: each
    step's labels, and all pairs of them). What it leaves unexplained of them when they are left
    out has a covariance, which ranks sequences by the likelihood of the release. The `POOL`
    likeliest then compete by how well images that are sought with them explain it.

    Args:
        model: the victim.
        loss: the victim's.
        release: a weight difference.
        threat: with ``local``.
    """
    local, clock = threat.local, threat.clock()
    assert local is not None
    surprise, played = learn_surprise(model, loss, release, threat, local, clock)
    pool = _likeliest(surprise, played, threat.classes, local)
    return _race(model, loss, release, threat, pool, clock)


def _likeliest(
    surprise: Callable[[Sequences], Tensor], start: Sequences, classes: int, local: LocalSteps
) -> Sequences:
    """The `POOL` sequences of least surprise, sought from these by one label or one swap a time."""

    def best(sequences: Sequences) -> Sequences:
        distinct: Tensor = sequences.unique(dim=0)  # type: ignore[no-untyped-call]
        return distinct[surprise(distinct).argsort(stable=True)[:POOL]]

    pool = best(start)
    for _ in range(SWEEPS):
        found = best(sort_steps(torch.cat([pool, *_neighbours(pool, classes)]), local))
        if torch.equal(found, pool):
            break
        pool = found
    return pool


def _neighbours(pool: Sequences, classes: int) -> list[Sequences]:
    """Those with another label in one place, and those with two places exchanged."""
    found = []
    for place in range(pool.shape[1]):
        other = pool.repeat_interleave(classes, 0)
        other[:, place] = torch.arange(classes).repeat(len(pool))
        found.append(other)
        for second in range(place):
            swapped = pool.clone()
            swapped[:, [place, second]] = pool[:, [second, place]]
            found.append(swapped)
    return found


def _race(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    pool: Sequences,
    clock: Clock,
) -> Tensor:
    """The sequence of the pool whose images come closest to the release."""
    prior = SpectralPrior.fit(threat.auxiliary_images.to(next(model.parameters()).device))
    size = float(flat(release.update).double().norm())
    floor = noise_std(release, threat)
    code = prior.mean.new_zeros(pool.shape[1], *prior.mean.shape)
    runners = [(labels, residual(model, loss, release, threat, labels), code) for labels in pool]
    for level, evaluations, keep in RACE:
        ended = []
        for labels, compare, start in runners:
            levels = [max(level * size, floor)]
            found = descend(compare, prior, start, levels, evaluations=evaluations, clock=clock)
            ended.append((found.value, labels, compare, found.point))
        ended.sort(key=lambda runner: runner[0])
        runners = [(labels, compare, point) for _, labels, compare, point in ended[:keep]]
    winner: Tensor = runners[0][0]
    return winner
