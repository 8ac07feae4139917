"""Draws the examples that models are asked about, and those that each is trained on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from attacks.membership.scenario import Scenario
from defenses import stream
from victims.data import Data, digest, load_data
from victims.training import Training
from victims.training.anchors import anchors_of, refuse_private
from victims.training.streams import content_of

MODEL_SEEDS = 2**40
"""Seeds of the models are drawn below this."""


@dataclass(frozen=True)
class Candidates:
    """What a Scenario is played on.

    Attributes:
        pool: 2n examples, of which every model is trained on n by expectation.
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

    @cached_property
    def drawn(self) -> str:
        """Digest of the examples and of who is a member of which model, as pieces are kept by."""
        return content_of(self.content, {"members": self.members})


def draw(scenario: Scenario, data_root: str | None = None) -> Candidates:
    """Choose candidates and members; all examples are of the train split.

    Shadows 2i and 2i + 1 split the candidates between them, so each candidate is in exactly half
    of the shadows. The target's members are drawn independently of that.

    Raises:
        BadInput: too few examples, or public ones among them.
    """
    t, n = scenario.training, scenario.members
    data = load_data(
        t.data,
        split="train",
        count=2 * n + scenario.population,
        root=data_root,
        size=t.size,
        seed=scenario.seed,
    )
    anchors = anchors_of(t, data_root=data_root, seed=scenario.seed)
    refuse_private(anchors, data.images, "the candidates and the population")
    members = draw_members(n, scenario.shadows, scenario.seed)
    return split(data, members, anchors)


def draw_members(n: int, shadows: int, seed: int) -> Tensor:
    """(1 + shadows, 2n) bool by fair coins: of the target, then of the shadows in pairs.

    Of a pair one has whom the other has not. What theory allows, by (epsilon, delta), is of an
    example that is there or not and says nothing of the others. Were exactly n members, who knows
    n would see one leave where another joins, and two examples that point in opposite directions
    are told apart by twice as much: a line of add/remove would be too low, visibly so of few.

    Args:
        n: the expected number of members.
        shadows: an even number.
        seed: of the coins.
    """
    rows = []
    for pair in range(1 + shadows // 2):
        chosen = torch.rand(2 * n, generator=stream(seed, "coins", pair)) < 0.5
        rows += [chosen] if pair == 0 else [chosen, ~chosen]
    return torch.stack(rows)


def split(data: Data, members: Tensor, anchors: Data | None = None) -> Candidates:
    """The first of the data as the pool that ``members`` (1 + K, 2n) are of, the others beside."""
    everything, pool = torch.arange(len(data.labels)), members.shape[1]
    return Candidates(data.take(everything[:pool]), data.take(everything[pool:]), members, anchors)


def content(scenario: Scenario, data_root: str | None = None) -> str:
    """Digest of the examples that a Scenario is played on."""
    return draw(scenario, data_root).content


def training_of(scenario: Scenario, model: int, shared: Training) -> Training:
    """The training of one model; they differ in their seeds alone."""
    draw = stream(scenario.seed, "model", model)
    seed = int(torch.randint(MODEL_SEEDS, (1,), generator=draw))
    return dataclasses.replace(shared, seed=seed)
