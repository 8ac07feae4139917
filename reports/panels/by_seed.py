"""Scores of one setting by attacker and seed, as a panel's Records hold them, and pooled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from reports.panels.pooled import PooledScores
from reports.panels.setting import Setting
from reports.records.column import ATTACKERS
from reports.records.find import Source
from reports.records.inversion import Guarantee, InversionRecord, Scores

Guesses = Mapping[int, Mapping[int, float]]
"""Seed -> image -> PSNR of the best guess without the release."""


@dataclass
class BySeed:
    """Scores of one setting by attacker and seed.

    Attributes:
        defense: the defense's name.
        guarantee: what theory says of the setting, as its first Record has it.
        asked: whether a Record is about this defense, and not about another one beside it.
        parts: attacker -> seed -> the Record that counts, and its scores.
    """

    defense: str
    guarantee: Guarantee
    asked: bool = False
    parts: dict[str, dict[int, tuple[InversionRecord, Scores]]] = field(default_factory=dict)

    @staticmethod
    def key(defense: str, guarantee: Guarantee) -> str:
        """What is pooled over seeds: a defense, its options, and the rounds that were tried."""
        attacked = guarantee.round.attacked if guarantee.round else ()
        return json.dumps([defense, guarantee.options, attacked], sort_keys=True)

    def add(self, record: InversionRecord, attacker: str, scores: Scores) -> InversionRecord | None:
        """Take the scores of a Record; of several with one attacker and seed the first counts.

        Returns:
            The Record that counts instead, where its scores are others; else None.
        """
        seeds = self.parts.setdefault(attacker, {})
        first, own = seeds.setdefault(record.seed, (record, scores))
        same = np.array_equal(own.values["psnr"], scores.values["psnr"], equal_nan=True)
        return None if same else first

    @property
    def sources(self) -> tuple[Source, ...]:
        """The Records that count, by their numbers."""
        found = [record.source for seeds in self.parts.values() for record, _ in seeds.values()]
        own = {source.number: source for source in found}
        return tuple(own[n] for n in sorted(own))

    def setting(self, anchor: str, label: str, guesses: Guesses) -> Setting:
        """The setting with its seeds pooled."""
        scores = {
            attacker: pool_scores({s: own for s, (_, own) in self.parts[attacker].items()}, guesses)
            for attacker in ATTACKERS
            if attacker in self.parts
        }
        return Setting(
            anchor=anchor,
            defense=self.defense,
            guarantee=self.guarantee,
            scores=scores,
            sources=self.sources,
            label=label,
            asked=self.asked,
        )


def guess_levels(priors: Mapping[int, Scores]) -> Guesses:
    """PSNR of every image's best guess, from each seed's scores of those guesses."""
    return {
        seed: dict(zip(prior.images.tolist(), prior.values["psnr"].tolist(), strict=True))
        for seed, prior in priors.items()
    }


def pool_scores(seeds: Mapping[int, Scores], guesses: Guesses) -> PooledScores:
    """Scores of several seeds as one, seeds in ascending order, beside those of the guesses."""
    parts = sorted(seeds.items())
    values = {n: np.concatenate([s.values[n] for _, s in parts]) for n in parts[0][1].values}
    values["prior"] = np.array(
        [guesses.get(seed, {}).get(int(i), math.nan) for seed, s in parts for i in s.images]
    )
    owners = np.concatenate([np.full(len(s.images), seed) for seed, s in parts])
    return PooledScores(owners, np.concatenate([s.images for _, s in parts]), values)
