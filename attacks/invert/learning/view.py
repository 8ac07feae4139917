"""What a release tells, and how any other gradient would look in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from attacks.invert.contract import Threat
from attacks.invert.learning.regression import Regression
from attacks.invert.matching.objective import replay, support
from defenses import Gradients, Release
from defenses.bases.summed import Summed
from defenses.gradients import flat, split

COLUMNS = 16384
"""Of more coordinates so many are taken, at equal distances: past a few thousand they repeat one
another, and the products over all images take the time."""

ANEW = 0.5
"""Of a sign's variance, what is added to every column of gradients that are defended anew: they
are more and coarser than what can be learned of them from a few thousand images. From 0.3 to 1 it
makes no difference (lenet, train images)."""


@dataclass(frozen=True)
class View:
    """The coordinates that a release speaks about, and how gradients look there.

    A mask, clipping, pruning and rounding are replayed. Where a release says of what was not sent
    that it is small, what was sent is looked at alone. The replay of signs says how far a
    candidate is from the signs that were released, and is no measurement of the image; there the
    defense itself is applied to the adversary's gradients, under the facts that are public.

    Attributes:
        release: what is looked at.
        threat: whose adversary looks; a naive one sees every coordinate of a mean gradient.
        index: (D,) int64, coordinates of the flattened update, D <= `COLUMNS`.
        defended: whether gradients are defended anew rather than replayed.
        plain: whether gradients are shown as they are, at what was sent.
    """

    release: Release
    threat: Threat
    index: Tensor
    defended: bool
    plain: bool = False

    @classmethod
    def of(cls, release: Release, threat: Threat) -> View:
        """The view of a release; empty where it speaks about nothing."""
        spoken = flat(support(release, threat))
        plain = False
        if threat.adaptive:
            measured, sent = _measured(release, threat), flat(release.update) != 0
            plain = bool(measured[sent].all()) and not bool(measured[spoken].all())
            spoken = measured & spoken if plain else spoken
        index = spoken.nonzero()[:, 0]
        if len(index) > COLUMNS:
            step = torch.arange(COLUMNS, device=index.device) * len(index) // COLUMNS
            index = index[step]
        return cls(release, threat, index, not plain and _reads_values(release, threat), plain)

    @property
    def observed(self) -> Tensor:
        """(D,) what was released, float32."""
        return flat(self.release.update)[self.index].detach().float()

    def regress(self, shown: Tensor, ridge: float) -> Regression:
        """What (N, D) gradients so shown say of what lies behind them.

        Args:
            shown: see `show`; overwritten.
            ridge: see `Regression.fit`; not used where the release has more than `shown` has: noise
                when it is replayed, or when it is not, what signs lack of a measurement.
        """
        if self.defended:
            return Regression.fit(shown, added=ANEW * float(shown.var(0, correction=0).max()))
        noise = self.threat.defense.noise(self.release) if self.threat.adaptive else 0.0
        return Regression.fit(shown, added=noise**2, ridge=ridge)

    def show(self, grads: Gradients, generator: torch.Generator) -> Tensor:
        """(B, D) float32, each example's gradient as if it were the batch.

        Args:
            grads: name -> (B, *shape).
            generator: of what the defense draws; untouched where it is replayed.
        """
        if self.plain:
            order = self.release.update
            return torch.cat([grads[k].flatten(1) for k in order], 1)[:, self.index].float()
        if self.defended:
            each = [self._defend(_one(grads, i), generator) for i in range(_count(grads))]
            return torch.stack(each).float()
        try:
            return vmap(self._replay)(dict(grads)).float()
        except RuntimeError:  # a defense that looks at values takes one example at a time
            each = [self._replay({k: g[i] for k, g in grads.items()}) for i in range(_count(grads))]
            return torch.stack(each).float()

    def show_all(
        self, chunks: Iterable[Gradients], count: int, generator: torch.Generator
    ) -> Tensor:
        """(count, D) float32, of gradients that come in chunks; see `show`."""
        shown, done = torch.empty(0), 0
        for grads in chunks:
            few = self.show(grads, generator)
            if not done:
                shown = few.new_empty(count, few.shape[1])
            shown[done : done + len(few)] = few
            done += len(few)
        return shown

    def _replay(self, grad: Mapping[str, Tensor]) -> Tensor:
        shown = replay({k: g[None] for k, g in grad.items()}, self.release, self.threat)
        return flat({k: shown[k] for k in self.release.update})[self.index]

    def _defend(self, grad: Gradients, generator: torch.Generator) -> Tensor:
        defense, public = self.threat.defense, self.release.public
        if isinstance(defense, Summed):
            total = defense.contribute(grad, public)
            again = defense.finish(total, public, batch_size=1, generator=generator)
        else:
            again = defense.release(grad, generator=generator)
        return flat({k: again.update[k] for k in self.release.update})[self.index]


def _reads_values(release: Release, threat: Threat) -> bool:
    """Whether the replay reads more of the released values than where they are not zero."""
    if not threat.adaptive:
        return False
    draw = torch.Generator().manual_seed(0)
    probe = {k: torch.randn(v.shape, generator=draw).to(v)[None] for k, v in release.update.items()}
    turned = dataclasses.replace(release, update={k: -v for k, v in release.update.items()})
    return not torch.equal(
        flat(replay(probe, release, threat)), flat(replay(probe, turned, threat))
    )


def _measured(release: Release, threat: Threat) -> Tensor:
    """(P,) bool: a gradient near what was released is replayed as itself, there.

    Of what was not sent because it is small a replay says nothing but for large gradients.
    """
    draw = torch.Generator().manual_seed(0)
    seen = flat(release.update)
    least = 1e-3 * float(seen[seen != 0].abs().min()) if bool(seen.any()) else 0.0
    near = seen * (1 + 0.02 * (torch.rand(seen.shape, generator=draw).to(seen) - 0.5))
    near = torch.where(seen != 0, near, least)
    parts = {k: v[None] for k, v in split(near, release.update).items()}
    again = replay(parts, release, threat)
    shown = flat({k: again[k] for k in release.update})
    return (shown != 0) & ((shown - near).abs() <= 1e-5 * near.abs())


def _one(grads: Gradients, place: int) -> dict[str, Tensor]:
    return {k: g[place : place + 1] for k, g in grads.items()}


def _count(grads: Gradients) -> int:
    return len(next(iter(grads.values())))
