"""Which examples are asked about, and which model was trained on which of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from attacks.membership.scenario import Trial
from defenses import stream
from victims.data import Data, digest, load_data
from victims.training import Training
from victims.training.anchors import anchors_of, refuse_private

MODEL_SEEDS = 2**40
"""Seeds of the models are drawn below this."""


@dataclass(frozen=True)
class Candidates:
    """What a Trial is played on.

    Attributes:
        pool: 2n examples, of which every model is trained on n.
        population: others, on which none is.
        members: (1 + K, 2n) bool; row 0 is the target's, the rest are the shadows'.
        anchors: public examples of all models alike, none of them a candidate; None: not wanted.
    """

    pool: Data
    population: Data
    members: Tensor
    anchors: Data | None = None

    @cached_property
    def content(self) -> str:
        """Digest of the examples that are asked about and of the population."""
        return digest(self.pool, self.population)


def draw(trial: Trial, data_root: str | None = None) -> Candidates:
    """Choose candidates and members; all examples are of the train split.

    Shadows 2i and 2i + 1 split the candidates between them, so each candidate is in exactly half
    of the shadows. The target's members are drawn independently of that.

    Raises:
        BadInput: too few examples, or public ones among them.
    """
    t, n = trial.training, trial.members
    data = load_data(
        t.data,
        split="train",
        count=2 * n + trial.population,
        root=data_root,
        size=t.size,
        seed=trial.seed,
    )
    anchors = anchors_of(t, data_root=data_root, seed=trial.seed)
    refuse_private(anchors, data.images, "the candidates and the population")
    everything = torch.arange(len(data.labels))
    rows = []
    for turn in range(1 + trial.shadows // 2):
        order = torch.randperm(2 * n, generator=stream(trial.seed, "members", turn))
        chosen = torch.zeros(2 * n, dtype=torch.bool)
        chosen[order[:n]] = True
        rows += [chosen] if turn == 0 else [chosen, ~chosen]
    return Candidates(
        data.take(everything[: 2 * n]), data.take(everything[2 * n :]), torch.stack(rows), anchors
    )


def content(trial: Trial, data_root: str | None = None) -> str:
    """Digest of the examples that a Trial is played on."""
    return draw(trial, data_root).content


def training_of(trial: Trial, model: int, shared: Training) -> Training:
    """The training of one model; they differ in their seeds alone."""
    draw = stream(trial.seed, "model", model)
    seed = int(torch.randint(MODEL_SEEDS, (1,), generator=draw))
    return dataclasses.replace(shared, seed=seed)
