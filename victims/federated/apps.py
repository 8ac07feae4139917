"""ServerApp and ClientApp of a federation on Flower; the same ones on every engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from defenses import BadInput
from victims.federated import wire
from victims.federated.flower import (
    ArrayRecord,
    ClientApp,
    ConfigRecord,
    Context,
    Grid,
    Message,
    MessageType,
    RecordDict,
    ServerApp,
)
from victims.federated.serve import Course
from victims.federated.server import Answer
from victims.federated.victim import Victim

ARRAYS, CONFIG, KEPT = "arrays", "config", "kept"
"""Names of the records in a message, and of what a participant keeps in its context."""
PAUSE = 0.02
"""Seconds between two questions whether an answer is there."""
LOOK = 120.0
"""Seconds that the server waits at least for its participants to appear; longer where an upload may
take longer, for a node that starts has everything to load first."""


def client_app(load: Callable[[Context], Victim]) -> ClientApp:
    """The app of a participant, which is the one of its node's ``partition-id``.

    Args:
        load: gives the federation that a node belongs to; asked at every message.
    """

    def introduce(message: Message, context: Context) -> Message:
        facts = ConfigRecord({"participant": int(context.node_config["partition-id"])})
        return Message(RecordDict({CONFIG: facts}), reply_to=message)

    def train(message: Message, context: Context) -> Message:
        victim = load(context)
        participant = victim.participant(int(context.node_config["partition-id"]))
        kept = kept_in(context)
        received = _tensors(message.content.array_records[ARRAYS])
        weights = wire.unpack(received, participant.begin(kept))
        round_ = message.content.config_records[CONFIG]["round"]
        assert isinstance(round_, int)
        update = participant.upload(weights, round_, kept)
        if kept:
            keep_in(context, kept)
        return Message(RecordDict({ARRAYS: ArrayRecord(wire.pack(update))}), reply_to=message)

    app = ClientApp()
    app.query()(introduce)
    app.train()(train)
    return app


def server_app(
    course_of: Callable[[Context], Course], watch: Callable[[Course], None], timeout: float
) -> ServerApp:
    """The app of the server.

    Args:
        course_of: gives the federation's course, at its start or where it is resumed.
        watch: called after every round; what it raises ends the run.
        timeout: seconds after which a participant is late.
    """

    def main(grid: Grid, context: Context) -> None:
        course = course_of(context)
        participants = course.server.plan.federation.participants
        for _ in course.rounds(GridPost(grid, participants, timeout)):
            watch(course)

    app = ServerApp()
    app.main()(main)
    return app


class GridPost:
    """A `victims.federated.serve.Post` on a Flower grid.

    Args:
        grid: of Flower.
        participants: how many nodes there must be.
        timeout: seconds after which a participant is late.

    Raises:
        BadInput: the nodes are fewer, or two are one participant.
    """

    def __init__(self, grid: Grid, participants: int, timeout: float) -> None:
        self.grid, self.timeout = grid, timeout
        self.asked: dict[str, float] = {}
        self.nodes = self._introduced(participants)

    def send(self, participant: int, tensors: dict[str, Tensor], round: int) -> str:
        """See `victims.federated.serve.Post`."""
        content = RecordDict(
            {
                ARRAYS: ArrayRecord({k: v.contiguous() for k, v in tensors.items()}),
                CONFIG: ConfigRecord({"round": round}),
            }
        )
        message = Message(content, self.nodes[participant], MessageType.TRAIN)
        ticket: str
        (ticket,) = self.grid.push_messages([message])
        self.asked[ticket] = time.monotonic()
        return ticket

    def collect(self, tickets: Sequence[str]) -> dict[str, Answer]:
        """See `victims.federated.serve.Post`."""
        while True:
            found = {
                reply.metadata.reply_to_message_id: _answer(reply)
                for reply in self.grid.pull_messages(tickets)
            }
            late = [t for t in tickets if time.monotonic() - self.asked[t] > self.timeout]
            found = {**{t: "late" for t in late}, **found}
            if found:
                for ticket in found:
                    del self.asked[ticket]
                return found
            time.sleep(PAUSE)

    def _introduced(self, participants: int) -> dict[int, int]:
        """Participant -> node, as the nodes themselves say."""
        found: dict[int, int] = {}
        asked: set[int] = set()
        why = ""
        end = time.monotonic() + max(LOOK, self.timeout)
        tickets: dict[str, int] = {}
        while len(found) < participants and time.monotonic() < end:
            new = [node for node in self.grid.get_node_ids() if node not in asked]
            asked |= set(new)
            messages = [Message(RecordDict(), node, MessageType.QUERY) for node in new]
            tickets |= dict(zip(self.grid.push_messages(messages), new, strict=True))
            for reply in self.grid.pull_messages(list(tickets)):
                node = tickets.pop(reply.metadata.reply_to_message_id)
                if reply.has_error():
                    why = f"; one of them failed: {_last_line(reply.error.reason)}"
                    continue
                index = reply.content.config_records[CONFIG]["participant"]
                if isinstance(index, int) and 0 <= index < participants:
                    found.setdefault(index, node)
            if len(found) < participants:
                time.sleep(PAUSE)
        if len(found) < participants:
            raise BadInput(
                f"{len(found)} of {participants} participants are there{why}: start as many "
                "nodes, partition-id 0 and up, say fewer --participants, or a longer --timeout"
            )
        return found


def _last_line(reason: str | None) -> str:
    """What an error of a node comes to, without its traceback."""
    lines = (reason or "").strip().splitlines()
    return lines[-1][:200] if lines else "it does not say why"


def _answer(reply: Message) -> Answer:
    """The tensors in a reply; "crashed" where it holds an error, "shape" where it holds no such."""
    if reply.has_error():
        return "crashed"
    try:
        return _tensors(reply.content.array_records[ARRAYS])
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError):
        return "shape"


def _tensors(record: ArrayRecord) -> dict[str, Tensor]:
    return {k: torch.from_numpy(v.numpy().copy()) for k, v in record.items()}


def kept_in(context: Context) -> dict[str, Tensor]:
    """What a participant keeps in its context, name -> tensor."""
    return _tensors(context.state.array_records[KEPT]) if KEPT in context.state else {}


def keep_in(context: Context, kept: Mapping[str, Tensor]) -> None:
    """Let a participant keep this, and nothing else."""
    context.state[KEPT] = ArrayRecord({k: v.contiguous() for k, v in kept.items()})
