"""A Flower client with one photograph, captured by one line, and a server that asks it once."""

from __future__ import annotations

from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from torch.nn.functional import cross_entropy

import victims
from victims.capture import capture


def client(folder: Path, image: int, lr: float = 0.1) -> ClientApp:
    """A client that has one photograph and takes one step of SGD on it, captured."""
    photos = victims.load_data("photos").take(torch.tensor([image]))
    model = victims.load_model("lenet", classes=photos.classes)
    app = ClientApp(mods=[capture(folder, lr=lr, batch=1)])

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
