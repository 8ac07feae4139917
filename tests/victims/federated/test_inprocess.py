"""The private names of Flower that the in-process grid needs, against the installed version."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("flwr", reason="the extra federated is not installed")

from flwr.supercore.task_identity import TaskIdentity

from victims.federated.flower import (
    ArrayRecord,
    ClientApp,
    Grid,
    Message,
    MessageType,
    RecordDict,
)
from victims.federated.inprocess import InProcessGrid, identity, new_contexts


def app():
    made = ClientApp()

    @made.train()
    def double(message, context):
        sent = message.content["arrays"].to_torch_state_dict()
        if context.node_config["partition-id"] == 1:
            raise ValueError("/a/private/path")
        back = ArrayRecord({k: 2 * v for k, v in sent.items()})
        return Message(RecordDict({"arrays": back}), reply_to=message)

    return made


def messages(nodes):
    content = RecordDict({"arrays": ArrayRecord({"w": torch.ones(2)})})
    return [Message(content, node, MessageType.TRAIN) for node in nodes]


def test_the_grid_is_a_whole_one_of_the_installed_version():
    assert not InProcessGrid.__abstractmethods__
    assert issubclass(InProcessGrid, Grid)


def test_messages_can_be_made_only_while_this_process_is_somebody():
    before = TaskIdentity._run_id
    with identity():
        (message,) = messages([1])
        assert message.metadata.run_id == 1
    assert TaskIdentity._run_id == before


def test_answers_know_what_they_answer_and_errors_say_no_path():
    with identity():
        grid = InProcessGrid(app(), new_contexts(2))
        tickets = list(grid.push_messages(messages(grid.get_node_ids())))
        first, second = grid.pull_messages(tickets)
        assert [first.metadata.reply_to_message_id, second.metadata.reply_to_message_id] == tickets
        assert first.content["arrays"].to_torch_state_dict()["w"].tolist() == [2.0, 2.0]
        assert second.has_error()
        assert "path" not in second.error.reason
        assert list(grid.pull_messages(tickets)) == []


def test_answers_can_be_held_back():
    with identity():
        grid = InProcessGrid(app(), new_contexts(1), {0: 2})
        tickets = list(grid.push_messages(messages(grid.get_node_ids())))
        assert [len(list(grid.pull_messages(tickets))) for _ in range(4)] == [0, 0, 1, 0]
