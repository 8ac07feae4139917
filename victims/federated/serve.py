"""The course of a federation: whom the server asks when, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from victims.federated.server import Answer, Server
from victims.federated.turns import chosen_in_round, participant_at


class Post(Protocol):
    """How messages reach participants; one on Flower is in `victims.federated.apps`."""

    def send(self, participant: int, tensors: dict[str, Tensor], round: int) -> str:
        """Ask a participant, and do not wait. Returns a ticket for the answer."""
        ...

    def collect(self, tickets: Sequence[str]) -> dict[str, Answer]:
        """Ticket -> answer, of those that have answered; waits until one has.

        Whoever takes longer than the time limit has answered "late".
        """
        ...


@dataclass
class Asked:
    """An upload that is on its way.

    Attributes:
        participant: who was asked.
        added: how many uploads the server had added by then.
        ticket: for the answer; "" where a resumed run has the answer already.
        answer: once it has come.
    """

    participant: int
    added: int
    ticket: str = ""
    answer: Answer | None = None


class Course:
    """Turns and rounds of one federation, in an order that a resumed run takes up again.

    Attributes:
        round: rounds that are done.
        flight: uploads on their way, the oldest first.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.round = 0
        self.flight: list[Asked] = []

    def rounds(self, post: Post) -> Iterator[int]:
        """Go to the end by a post; yields the number of rounds that are done, after each.

        What is still on its way has then been waited for, though not added, so that all there is
        of a federation lies in server and course.
        """
        self._post = post
        f = self.server.plan.federation
        while self.round < f.rounds:
            if f.rule == "dssgd":
                self._take_turns()
            else:
                self._hold_round()
            self.round += 1
            if self.round == f.rounds:
                while self.flight:
                    self._settle()
            self._wait_for_all()
            yield self.round

    def _take_turns(self) -> None:
        """One upload of every participant; ``staleness`` of them overlap."""
        f = self.server.plan.federation
        for turn in range(self.round * f.participants, (self.round + 1) * f.participants):
            who = participant_at(
                turn, f.participants, f.order, lambda r: self.server.draw("turns", r)
            )
            self._ask(who)
            while len(self.flight) > f.staleness:
                self._settle()

    def _hold_round(self) -> None:
        f = self.server.plan.federation
        draw = self.server.draw("chosen", self.round)
        chosen = chosen_in_round(f.participants, f.share, draw)
        for who in chosen:
            self._ask(who)
        self._wait_for_all()
        answers = {asked.participant: asked.answer for asked in self.flight}
        self.flight = []
        self.server.combine({k: v for k, v in answers.items() if v is not None}, self.round)

    def _ask(self, who: int) -> None:
        ticket = self._post.send(who, self.server.offer(who), self.round)
        self.flight.append(Asked(who, self.server.added, ticket))

    def _settle(self) -> None:
        """Add the oldest upload that has come; wait for one where none has."""
        while not any(asked.answer is not None for asked in self.flight):
            self._collect()
        asked = next(asked for asked in self.flight if asked.answer is not None)
        assert asked.answer is not None
        self.flight.remove(asked)
        self.server.add(asked.participant, asked.answer, self.server.added - asked.added)

    def _wait_for_all(self) -> None:
        while any(asked.answer is None for asked in self.flight):
            self._collect()

    def _collect(self) -> None:
        waiting = {asked.ticket: asked for asked in self.flight if asked.answer is None}
        for ticket, answer in self._post.collect(list(waiting)).items():
            waiting[ticket].answer = answer
