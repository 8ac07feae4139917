"""A federation in this process, and what its server sees of everybody's uploads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from victims.federated import wire
from victims.federated.participant import Participant
from victims.federated.serve import Course
from victims.federated.server import Answer

Named = Mapping[str, Tensor]


@dataclass(frozen=True)
class Seen:
    """One upload, as the server sees it.

    Attributes:
        participant: whose it is.
        round: from 0.
        weights: parameter name -> where the participant began.
        update: parameter name -> what it sent, 0 where nothing was sent.
    """

    participant: int
    round: int
    weights: Named
    update: Named


@dataclass
class Watching:
    """A `victims.federated.serve.Post` whose participants answer at once, one after the other.

    Attributes:
        participants: everybody, by number.
        course: whose server's weights they download whole.
        look: called with every upload.
        kept: what each participant keeps to itself.
        answers: ticket -> packed upload, until it is collected.
        sent: number of tickets so far.
    """

    participants: Sequence[Participant]
    course: Course
    look: Callable[[Seen], None]
    kept: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    sent: int = 0

    def send(self, participant: int, tensors: dict[str, Tensor], round: int) -> str:
        """See `Post.send`."""
        weights = dict(self.course.server.weights)
        kept = self.kept.setdefault(participant, {})
        packed = wire.pack(self.participants[participant].upload(weights, round, kept))
        zeros = {k: torch.zeros_like(v) for k, v in weights.items()}
        self.look(Seen(participant, round, weights, wire.unpack(packed, zeros)))
        self.sent += 1
        self.answers[str(self.sent)] = packed
        return str(self.sent)

    def collect(self, tickets: Sequence[str]) -> dict[str, Answer]:
        """See `Post.collect`."""
        return {ticket: self.answers.pop(ticket) for ticket in tickets}


def mean_of(uploads: Sequence[Seen]) -> Seen:
    """What secure aggregation leaves of a round's uploads, all from the same weights."""
    first = uploads[0]
    mean = {k: torch.stack([u.update[k] for u in uploads]).mean(0) for k in first.update}
    return Seen(first.participant, first.round, first.weights, mean)
