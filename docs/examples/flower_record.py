"""A mod for Flower clients that keeps what they send, and a client and a server to try it on.

`recorded` goes into your own ClientApp. See "A Flower app" in docs/attacks.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

import victims
from reports.records import atomic
from victims.gradients import LocalSteps

Next = Callable[[Message, Context], Message]


def recorded(
    folder: Path, moves: float = 1.0, local: LocalSteps | None = None
) -> Callable[[Message, Context, Next], Message]:
    """A mod that writes the weights a client was sent, and the update that it sends back.

    Put it first in ``mods``: it then sees what leaves, after clipping, noise and the like.

    Args:
        folder: for ``weights.safetensors`` and ``update.safetensors``, those of the last message.
        moves: learning rate of a single step of plain SGD, so that the update is its gradient.
        local: the steps of SGD that the client takes, so that the update is the difference of its
            weights and states what is public of it.
    """

    def mod(message: Message, context: Context, call_next: Next) -> Message:
        before = next(iter(message.content.array_records.values())).to_torch_state_dict()
        reply = call_next(message, context)
        if reply.has_error():
            return reply
        after = next(iter(reply.content.array_records.values())).to_torch_state_dict()
        update = {k: (before[k] - after[k]) / moves for k in after if after[k].is_floating_point()}
        folder.mkdir(parents=True, exist_ok=True)
        for name, tensors in (("weights", before), ("update", update)):
            with atomic(folder / f"{name}.safetensors") as scratch:
                facts = local.facts() if local and name == "update" else {}
                stated = {k: str(v) for k, v in facts.items()}
                save_file({k: v.contiguous() for k, v in tensors.items()}, scratch, stated)
        return reply

    return mod


def client(folder: Path, image: int, lr: float = 0.1) -> ClientApp:
    """A client that has one photograph and takes one step of SGD on it, recorded."""
    photos = victims.load_data("photos").take(torch.tensor([image]))
    model = victims.load_model("lenet", classes=photos.classes)
    app = ClientApp(mods=[recorded(folder, moves=lr)])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        model.load_state_dict(message.content["arrays"].to_torch_state_dict())
        cross_entropy(model(photos.images), photos.labels).backward()
        torch.optim.SGD(model.parameters(), lr=lr).step()
        sent = {
            "arrays": ArrayRecord(model.state_dict()),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(RecordDict(sent), reply_to=message)

    return app


def server() -> ServerApp:
    """A server that asks the client once."""
    app = ServerApp()
    model = victims.load_model("lenet", classes=victims.load_data("photos").classes)

    @app.main()
    def ask(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
        weights = ArrayRecord(model.state_dict())
        strategy.start(grid=grid, initial_arrays=weights, num_rounds=1)

    return app
