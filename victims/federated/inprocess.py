"""Flower's Grid within this process: no Ray, no server, every answer at once and in order.

All that is private to Flower stands in this file: `TaskIdentity`, which names the task that a
message is from, and two fields of a message's metadata, which a SuperLink sets. It is tested
against the version of Flower that is installed (`tests/victims/federated/test_inprocess.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from victims.federated.flower import (
    ClientApp,
    Context,
    Error,
    Grid,
    Message,
    MessageType,
    RecordDict,
    ServerApp,
)

TRAIN = MessageType.TRAIN
RUN = 1
"""Number of the run, and of the server's node and task, in a process that has one of each."""


class InProcessGrid(Grid):  # type: ignore[misc]
    """A grid whose nodes are one ClientApp in as many contexts.

    Args:
        app: of the participants.
        contexts: one for each, whose ``partition-id`` is its place from 0.
        delays: partition-id -> for how many questions its uploads are held back.
    """

    def __init__(
        self, app: ClientApp, contexts: list[Context], delays: dict[int, int] | None = None
    ) -> None:
        self.app = app
        self.contexts = {context.node_id: context for context in contexts}
        self.delays = delays or {}
        self._numbers = itertools.count(1)
        self._answers: dict[str, tuple[int, Message]] = {}
        self._run: Any = None

    def set_run(self, run: Any) -> None:
        """See `Grid`; nothing here looks at it."""
        self._run = run

    @property
    def run(self) -> Any:
        """See `Grid`."""
        return self._run

    def create_message(self, *args: Any, **more: Any) -> Message:
        """Not for the Message API, as in Flower's own grids."""
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        """The nodes, in the order of their contexts."""
        return list(self.contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Let each node answer at once; what it raises becomes an error, as on other engines."""
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Answers that are there, in the order in which they were asked for."""
        found = []
        for ticket in message_ids:
            held, answer = self._answers.get(ticket, (0, None))
            if answer is None:
                continue
            if held:
                self._answers[ticket] = held - 1, answer
            else:
                del self._answers[ticket]
                found.append(answer)
        return found

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push and pull."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> str:
        ticket = f"message-{next(self._numbers)}"
        message.metadata.__dict__["_message_id"] = ticket
        message.metadata.__dict__["_src_node_id"] = RUN
        node = message.metadata.dst_node_id
        try:
            answer = self.app(message, self.contexts[node])
        except Exception as error:  # a participant's own; the server must go on
            answer = Message(Error(code=0, reason=type(error).__name__), reply_to=message)
        place = int(self.contexts[node].node_config["partition-id"])
        slow = self.delays.get(place, 0) if message.metadata.message_type == TRAIN else 0
        self._answers[ticket] = slow, answer
        return ticket


def new_contexts(participants: int) -> list[Context]:
    """A context for each participant, which keeps nothing yet."""
    return [
        Context(
            run_id=RUN,
            node_id=index + 1,
            node_config={"partition-id": index, "num-partitions": participants},
            state=RecordDict(),
            run_config={},
        )
        for index in range(participants)
    ]


@contextmanager
def identity() -> Iterator[None]:
    """While this lasts messages can be made in this process, as in a task of Flower's."""
    from flwr.supercore.task_identity import TaskIdentity

    names = ("_task_id", "_run_id", "_node_id")
    before = {name: getattr(TaskIdentity, name) for name in names}
    try:
        for name in names:
            setattr(TaskIdentity, name, RUN)
        yield
    finally:
        for name, value in before.items():
            setattr(TaskIdentity, name, value)


def run_in_process(
    server: ServerApp,
    client: ClientApp,
    contexts: list[Context],
    delays: dict[int, int] | None = None,
    grid: Callable[..., Grid] = InProcessGrid,
) -> None:
    """Run both apps to the server's end; whatever its ``main`` raises is raised."""
    place = Context(run_id=RUN, node_id=RUN, node_config={}, state=RecordDict(), run_config={})
    with identity():
        server(grid(client, contexts, delays), place)
