"""Canaries that are gradients, and the scores that releases give them.

A canary is an example that exists only as a gradient: a Dirac (one coordinate) or a random
direction, longer than any clipping norm, so that it contributes all that a single example may
(Nasr et al. 2021 and 2023, white-box). One training holds many, each inserted by a fair coin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.func import vmap

from defenses import BadInput, Defense, Release, stream
from defenses.gradients import flat

KINDS = ("dirac", "random")
CHUNK = 128
"""Canaries replayed together."""
MOST_BYTES = 4 * 2**30


class Canaries:
    """m canaries for a training of parameters P in number.

    Args:
        like: tensors of the parameters' names and shapes.
        count: the number of canaries, m.
        kind: ``dirac`` (canary i has gradient ``length`` at a coordinate of its own, else 0) or
            ``random`` (Gaussian direction over all coordinates, of norm ``length``).
        length: L2 norm of each canary's gradient, before the defense clips it.
        sample_rate: probability with which an inserted canary is in a batch.
        seed: the seed of coins and directions.

    Attributes:
        inserted: (m,) bool, the coins.
        scores: (m,) float64, log-likelihood ratios of "inserted" to "not", summed over releases.
        visible: (m,) bool, whether any release holds something of it when it is in the batch: a
            defense may drop or cut off all that a canary is.

    Raises:
        BadInput: more Diracs than coordinates, or more numbers than memory should hold.
    """

    def __init__(
        self,
        like: Mapping[str, Tensor],
        *,
        count: int,
        kind: str = "dirac",
        length: float = 10.0,
        sample_rate: float = 1.0,
        seed: int = 0,
    ) -> None:
        if kind not in KINDS:
            raise BadInput(f"unknown canary {kind!r}; known: {', '.join(KINDS)}")
        if count < 1:
            raise BadInput(f"there are {count} canaries; there must be >= 1")
        if not (length > 0 and math.isfinite(length)):
            raise BadInput(f"the canaries' length is {length:g}; it must be > 0 and finite")
        total = sum(v.numel() for v in like.values())
        if kind == "dirac" and count > total:
            raise BadInput(f"{count} Dirac canaries need {count} coordinates; there are {total}")
        if 4 * count * total > MOST_BYTES:
            most = MOST_BYTES // (4 * total)
            raise BadInput(f"{count} canaries of {total} coordinates do not fit; at most {most} do")
        self.like = {k: v.detach() for k, v in like.items()}
        self.sample_rate, self.seed = sample_rate, seed
        self.inserted = torch.rand(count, generator=stream(seed, "coins")) < 0.5
        directions = stream(seed, "directions")
        if kind == "dirac":
            place = torch.randperm(total, generator=directions)[:count]
            self.rows = torch.zeros(count, total)
            self.rows[torch.arange(count), place] = length
        else:
            self.rows = torch.randn(count, total, generator=directions)
            self.rows *= length / self.rows.norm(dim=1, keepdim=True)
        self.scores = torch.zeros(count, dtype=torch.float64)
        self.visible = torch.zeros(count, dtype=torch.bool)

    def gradients(self, index: Tensor) -> dict[str, Tensor]:
        """Per-example gradients (k, *shape) of some of the *inserted* canaries.

        Args:
            index: (k,) places among the inserted ones, from 0.
        """
        chosen = self.rows[self.inserted.nonzero()[:, 0][index.cpu()]]
        return self._by_name(chosen)

    def joining(self, step: int) -> Tensor:
        """Places of the inserted canaries in a step's batch, for loops with no sampler for them."""
        draw = torch.rand(int(self.inserted.sum()), generator=stream(self.seed, "joins", step))
        return (draw < self.sample_rate).nonzero()[:, 0]

    @torch.no_grad()
    def observe(
        self, release: Release, defense: Defense, others: Mapping[str, Tensor] | None = None
    ) -> None:
        """Add what one release says for each canary.

        Under noise of std s the likelihood ratio of "in this batch" to "not" is
        exp(<u, c> / s^2 - |c|^2 / (2 s^2)), where c is the canary's own replayed release and u the
        release less what is expected of everyone else: other canaries join with half of the sample
        rate. Sampled at rate q it is 1 - q + q times that. How far the others are from their mean
        counts as noise that the adversary does not model. Without noise the score is the length
        of u along c.

        Args:
            release: what left the victim.
            defense: the defense as the adversary believes it to be, informed of what is public.
            others: what examples that are no canaries gave to the release, name -> tensor; the
                adversary of differential privacy knows it. None: zero.
        """
        update = self._flat(release.update)
        if others is not None:
            update = update - self._flat(others)
        variance = float(release.public["noise_std"]) ** 2
        rate = torch.tensor(self.sample_rate, dtype=torch.float64).to(update.device)
        replayed = list(self._replay(release, defense))
        crowd = sum(rows.sum(0) for rows in replayed)
        update = update - float(rate) / 2 * crowd
        scores, lengths = [], []
        for rows in replayed:
            square = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()
            lengths.append(square)
            along = (rows @ update).double() + rate / 2 * square
            if variance == 0:
                scores.append(along / square.sqrt().clamp(min=1e-30))
                continue
            ratio = (along - square / 2) / variance
            scores.append(torch.logaddexp(torch.log1p(-rate), torch.log(rate) + ratio))
        self.scores += torch.cat(scores).cpu()
        self.visible |= (torch.cat(lengths) > 0).cpu()

    def _flat(self, update: Mapping[str, Tensor]) -> Tensor:
        """(P,) coordinates in the order of the parameters, where these are."""
        return flat({k: update[k].to(v.device) for k, v in self.like.items()})

    def _replay(self, release: Release, defense: Defense) -> Iterator[Tensor]:
        """(k, P) what each canary alone would have released, a chunk at a time."""

        def replay(row: Tensor) -> Tensor:
            update = defense.replay(self._by_name(row[None]), release)
            return flat({k: update[k] for k in self.like})

        for part in self.rows.split(CHUNK):
            try:
                yield vmap(replay)(part)
            except RuntimeError:  # a replay whose course depends on values
                yield torch.stack([replay(row) for row in part])

    def _by_name(self, rows: Tensor) -> dict[str, Tensor]:
        """(k, P) as name -> (k, *shape), where the parameters are."""
        named = {k: v.expand(len(rows), *v.shape) for k, v in self.like.items()}
        pieces = rows.split([v.numel() for v in self.like.values()], dim=1)
        return {
            k: piece.reshape(v.shape).to(v.device, v.dtype)
            for (k, v), piece in zip(named.items(), pieces, strict=True)
        }
