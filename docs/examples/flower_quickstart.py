"""Flower's PyTorch quickstart, captured by one line and attacked as it stands.

The network, the transform and the recipe are those of the quickstart (one local epoch of SGD at
learning rate 0.1 with momentum 0.9, batches of 32, ten clients with 4,000 CIFAR-10 images each).
``--images`` gives the client fewer, ``--classes`` images of fewer classes: the positive controls.

    python docs/examples/flower_quickstart.py --images 1
    python docs/examples/flower_quickstart.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, relu

import victims
from attacks.invert.__main__ import main as invert
from defenses import stream
from reports.detection import auc, sample
from reports.estimates import Estimate
from victims.capture import capture
from victims.data import Data
from victims.federated.inprocess import new_contexts, run_in_process

LR, MOMENTUM, BATCH = 0.1, 0.9, 32
SHADOWS = 60
"""Clients that the server plays with images of its own, to learn what labels do to an update."""


class Net(nn.Module):
    """Two convolutions and three linear layers, of images in [0, 1]."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = (
            nn.Linear(400, 120),
            nn.Linear(120, 84),
            nn.Linear(84, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, classes) logits of images (B, 3, 32, 32)."""
        x = max_pool2d(relu(self.conv1((x - 0.5) / 0.5)), 2)
        x = max_pool2d(relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(relu(self.fc2(relu(self.fc1(x)))))


def build(image_shape: tuple[int, int, int], classes: int) -> Net:
    """The network, as ``--model flower_quickstart:build`` asks for it."""
    return Net(classes)


def train(net: nn.Module, images: Tensor, labels: Tensor, order: Tensor) -> None:
    """One epoch of the recipe, in an order."""
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
    for part in order.split(BATCH):
        optimizer.zero_grad()
        cross_entropy(net(images[part]), labels[part]).backward()
        optimizer.step()


def client(data: Data, folder: Path) -> ClientApp:
    """The quickstart's client, with one line more: the mod."""
    app = ClientApp(mods=[capture(folder, lr=LR, momentum=MOMENTUM, batch=BATCH)])

    @app.train()
    def fit(message: Message, context: Context) -> Message:
        net = Net()
        net.load_state_dict(message.content["arrays"].to_torch_state_dict())
        order = torch.randperm(len(data.labels), generator=stream(0, "the client's order"))
        train(net, data.images, data.labels, order)
        metrics = MetricRecord({"num-examples": len(data.labels)})
        arrays = ArrayRecord(net.state_dict())
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return app


def server(seed: int) -> ServerApp:
    """A server that draws the weights and asks for one round."""
    app = ServerApp()

    @app.main()
    def ask(grid: Grid, context: Context) -> None:
        torch.manual_seed(seed)
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
        strategy.start(grid=grid, initial_arrays=ArrayRecord(Net().state_dict()), num_rounds=1)

    return app


def head(before: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
    """(2 classes,) what an epoch did to the last layer: its biases, and the sums of its rows."""
    moved = {k: (before[k] - after[k]).double() for k in ("fc3.bias", "fc3.weight")}
    return torch.cat([moved["fc3.bias"], moved["fc3.weight"].sum(1)])


def label_shares(update: Tensor, start: dict[str, Tensor], size: int, own: Data) -> Tensor:
    """(classes,) the shares of a client's labels: ridge regression over clients that are played."""
    draw = stream(0, "shadow clients")
    net, rows, shares = Net(), [], []
    of_class = [(own.labels == c).nonzero().flatten() for c in range(own.classes)]
    for _ in range(SHADOWS):
        weights = torch.rand(own.classes, generator=draw).log().neg() ** 2
        labels = torch.multinomial(weights, size, replacement=True, generator=draw)
        pick = [of_class[c][torch.randint(len(of_class[c]), (1,), generator=draw)] for c in labels]
        images = own.images[torch.cat(pick)]
        net.load_state_dict(start)
        train(net, images, labels, torch.randperm(size, generator=draw))
        rows.append(head(start, net.state_dict()))
        shares.append(labels.bincount(minlength=own.classes).double() / size)
    x, y = torch.stack(rows), torch.stack(shares)
    centre, scale = x.mean(0), x.std(0)
    white = (x - centre) / scale
    ridge = white.T @ white + torch.eye(white.shape[1]).double()
    slope = torch.linalg.solve(ridge, white.T @ (y - y.mean(0)))
    return (y.mean(0) + (update - centre) / scale @ slope).clamp(0, 1)


def membership(
    start: dict[str, Tensor], after: dict[str, Tensor], inside: Data, other: Data
) -> Estimate:
    """How well the fall of an image's loss over the round tells members from others."""
    falls = []
    for data in (inside, other):
        losses = []
        for weights in (start, after):
            net = Net()
            net.load_state_dict(weights)
            with torch.no_grad():
                losses.append(cross_entropy(net(data.images), data.labels, reduction="none"))
        falls.append(losses[0] - losses[1])
    members = torch.cat([torch.ones(len(falls[0])), torch.zeros(len(falls[1]))])
    return auc(sample(torch.cat(falls).numpy(), members.bool().numpy()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one round, then attack what the server saw of the client."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000, help="of the client (default 4000)")
    parser.add_argument("--classes", type=int, default=10, help="of its images (default 10)")
    parser.add_argument("--attack", default="auto", help="on a single step (default auto)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/quickstart"))
    asked = parser.parse_args(argv)
    everything = victims.load_data("cifar10", split="test")
    kept = (everything.labels < asked.classes).nonzero().flatten()
    order = kept[torch.randperm(len(kept), generator=stream(asked.seed, "clients"))]
    data, others = everything.take(order[: asked.images]), everything.take(order[asked.images :])
    folder = asked.out / f"{asked.images}-images-of-{asked.classes}-classes-{asked.seed}"
    run_in_process(server(asked.seed), client(data, folder), new_contexts(1))
    (seen,) = folder.glob("round-1-client-*.safetensors")
    if asked.images <= BATCH:
        return attack_step(data, seen, folder, asked.attack)
    tensors = load_file(seen)
    start = {k.removeprefix("weights/"): v for k, v in tensors.items() if "weights/" in k}
    after = {k: v - tensors[f"update/{k}"] for k, v in start.items()}
    own = victims.load_data("cifar10", split="train", count=10_000)
    found = label_shares(head(start, after), start, asked.images, own)
    true = data.labels.bincount(minlength=10).double() / asked.images
    print(f"labels, true:  {' '.join(f'{share:.3f}' for share in true)}")
    print(f"labels, found: {' '.join(f'{share:.3f}' for share in found)}")
    wrong, blind = (float((true - s).abs().sum() / 2) for s in (found, torch.full((10,), 0.1)))
    print(f"share of labels that is wrong: {wrong:.3f}; of equal shares: {blind:.3f}")
    same = others.take(torch.arange(min(len(others.labels), asked.images)))
    area = membership(start, after, data, same).show(3)
    print(f"members told from others by the fall of their loss: AUC {area}")
    return 0


def attack_step(data: Data, seen: Path, folder: Path, attack: str) -> int:
    """Attack the one step that the client took, and score it by its own pictures."""
    pictures = []
    for index, image in enumerate(data.images):
        pictures.append(str(folder / f"truth-{index}.png"))
        Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy()).save(pictures[-1])
    sys.path.insert(0, str(Path(__file__).parent))
    flags = ["--observation", str(seen), "--model", "flower_quickstart:build", "--data", "cifar10"]
    flags += ["--defense", "none", "--attack", attack, "--truth", *pictures]
    return invert([*flags, "--out", str(folder / attack)])


if __name__ == "__main__":
    raise SystemExit(main())
