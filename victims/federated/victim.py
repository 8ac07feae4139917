"""Loads what a federation works on: everybody's data, the tests, and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from defenses import stream
from reports.commands.origins import origins
from victims.data import Data, digest, load_data
from victims.data.trust import agree
from victims.federated.participant import Participant
from victims.federated.plan import Plan, make_plan
from victims.federated.scenario import Federation
from victims.federated.server import Server
from victims.gradients import refuse_batchnorm
from victims.gradients.logits_at import logits_at
from victims.models import load_model
from victims.training.streams import Repeatable, content_of

TESTED = 512
"""Images that are classified together."""


@dataclass(frozen=True)
class Victim:
    """A federation that can begin.

    Attributes:
        plan: its shares and its account.
        train: all private examples; participant i has the i-th ``examples`` of ``owners``.
        test: measures accuracy.
        owners: (N * examples,) indices into ``train``.
        model: whose parameters everybody in this process overwrites.
        start: parameter name -> where everybody starts.
        data: digest of private and test examples.
    """

    plan: Plan
    train: Data
    test: Data
    owners: Tensor
    model: nn.Module
    start: Mapping[str, Tensor]
    data: str

    @property
    def draw(self) -> Repeatable:
        """The generators of server and participants, keyed by all that the run works on.

        Two runs at one seed share no noise, which their difference would otherwise show.
        """
        plan = self.plan
        key = content_of(plan.content, repr(plan.federation.document()), repr(plan.defense))
        return Repeatable(plan.federation.seed, key)

    def participant(self, index: int) -> Participant:
        """One participant, with its own examples alone."""
        each = self.plan.examples
        own = self.owners[index * each : (index + 1) * each]
        images, labels = self.train.images[own], self.train.labels[own]
        return Participant(self.plan, index, images, labels, self.model, self.start, self.draw)

    def server(self, *, sums: bool = False) -> Server:
        """The server, before the first round; of sums alone where ``sums``, see `Server`."""
        return Server(self.plan, self.start, self.draw, sums=sums)

    @torch.no_grad()
    def correct(self, weights: Mapping[str, Tensor]) -> int:
        """How many tests the model classifies right with these weights."""
        right = 0
        for x, y in zip(
            self.test.images.split(TESTED), self.test.labels.split(TESTED), strict=True
        ):
            logits = logits_at(self.model, weights, x.clone())
            right += int((logits.argmax(1) == y).sum())
        return right

    @property
    def majority(self) -> float:
        """Accuracy of always naming the most frequent class of the tests."""
        return float(self.test.labels.bincount().max()) / len(self.test.labels)


def load_victim(federation: Federation, data_root: str | None = None) -> Victim:
    """Load data and model of a federation.

    Raises:
        BadInput: anything that cannot be used, before anything is written.
    """
    f = federation
    train, test = (load_data(f.data, split=s, root=data_root) for s in ("train", "test"))
    agree(train, test, f.data)
    channels, height, width = train.images.shape[1:]
    model = load_model(
        f.model,
        image_shape=(channels, height, width),
        classes=max(train.classes, test.classes),
        generator=stream(f.seed, "model"),
    )
    refuse_batchnorm(model, f.defense)
    start = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}
    total = sum(v.numel() for v in start.values())
    plan = make_plan(f, len(train.labels), total)
    drawn = torch.randperm(len(train.labels), generator=stream(f.seed, "owners"))
    owners = drawn[: plan.examples * f.participants]
    code = origins({"model": f.model, "defense": f.defense})
    # Weights that a name and a seed tell may differ in their last bits from machine to machine.
    own = start if ":" in f.model else ""
    content = content_of(digest(train.take(owners)), own, *code.values())
    plan = make_plan(f, len(train.labels), total, content)
    return Victim(plan, train, test, owners, model, start, digest(train, test))
