"""Which of some candidates explains a release best, and how many explain it as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from attacks.invert.contract import Threat
from attacks.invert.matching.objective import replay
from defenses import BadInput, Release
from defenses.finite import all_finite
from defenses.gradients import flat

SAME = 1e-5
"""Relative distance within which two candidates explain alike: rounding must not name one."""


def rank(
    release: Release,
    threat: Threat,
    own: Mapping[str, Tensor],
    others: Iterable[Mapping[str, Tensor]],
    *,
    ways: int = 1,
    generator: torch.Generator,
) -> int:
    """The place of the true candidate when the adversary sorts all by how well they explain.

    An adaptive adversary replays the defense on each candidate and sorts by squared distance to
    the release. Under white Gaussian noise on the visible coordinates that is the likelihood
    (Hayes et al. 2023, Section 4), so no one does better with equally likely candidates. Noise
    of another shape (`gep`'s is larger in its subspace) is not whitened. A naive one sorts
    gradients by their cosine with the release, which clipping does not change; their distance
    would favour short gradients whatever was released.

    Args:
        release: of a batch of one example.
        threat: ``defense`` and ``adaptive`` are used.
        own: gradients of the true candidate, name -> (ways, *shape).
        others: gradients of the rest in any number of slices, name -> (n * ways, *shape).
        ways: gradients that each candidate may have had, of which the likeliest counts.
        generator: breaks ties at random: k candidates that explain alike share k places.

    Returns:
        1 (named first) to N.

    Raises:
        BadInput: NaN or infinite gradients.
    """
    observed = flat(release.update).double()
    truth, best = _likeliest(own, range(ways), release, threat, observed)
    limit = SAME * float(truth.norm())
    better = ties = 0
    for part in others:
        for index in range(0, len(next(iter(part.values()))), ways):
            tried = range(index, index + ways)
            candidate, misfit = _likeliest(part, tried, release, threat, observed)
            if misfit == best or float((candidate - truth).norm()) <= limit:
                ties += 1
            elif misfit < best:
                better += 1
    return 1 + better + int(torch.randint(ties + 1, (1,), generator=generator))


def _likeliest(
    grads: Mapping[str, Tensor], rows: range, release: Release, threat: Threat, observed: Tensor
) -> tuple[Tensor, float]:
    """(P,) the update closest to the release, of those that these gradients cause; its misfit."""
    each = (_update_of(grads, row, release, threat) for row in rows)
    return min(((update, _misfit(update, observed)) for update in each), key=lambda pair: pair[1])


@torch.no_grad()
def _update_of(grads: Mapping[str, Tensor], index: int, release: Release, threat: Threat) -> Tensor:
    """(P,) the update that one candidate would have caused; of unit norm if naive."""
    one = {k: g[index : index + 1] for k, g in grads.items()}
    if not all_finite(one.values()):  # a defense would leave it out: its place would say nothing
        raise BadInput("a candidate's gradient has NaN or infinite values; they must be finite")
    replayed = replay(one, release, threat)
    guess = flat({k: replayed[k] for k in release.update}).double()
    return guess if threat.adaptive else nn.functional.normalize(guess, dim=0)


def _misfit(explained: Tensor, observed: Tensor) -> float:
    """Squared distance less the release's own square, which all share and would swamp the rest."""
    value = float(explained @ explained - 2 * (explained @ observed))
    if not abs(value) < float("inf"):
        raise BadInput("a candidate's gradient, or the release, holds NaN or infinite values")
    return value
