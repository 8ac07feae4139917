"""An ordinary Opacus training of a small network on 8x8 digits; nothing here knows of audits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from opacus import PrivacyEngine
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BATCH, CLIP, DELTA, HIDDEN = 50, 1.0, 1e-5, 128


@dataclass
class Loop:
    """What a user of Opacus holds."""

    engine: PrivacyEngine
    model: nn.Module
    optimizer: DPOptimizer
    loader: DataLoader[Any]

    @staticmethod
    def made(images: Tensor, labels: Tensor, *, epsilon: float, epochs: int, seed: int) -> Loop:
        """Opacus' parts for (N, 1, 8, 8) images and a budget for the whole run.

        Raises:
            ValueError: Opacus finds no noise that keeps the budget.
        """
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10))
        data = TensorDataset(images, labels)
        engine = PrivacyEngine()
        model, optimizer, loader = engine.make_private_with_epsilon(
            module=net,
            optimizer=torch.optim.SGD(net.parameters(), lr=2.0),
            data_loader=DataLoader(data, BATCH, generator=torch.Generator().manual_seed(seed)),
            target_epsilon=epsilon,
            target_delta=DELTA,
            epochs=epochs,
            max_grad_norm=CLIP,
            noise_generator=torch.Generator().manual_seed(seed + 1),
        )
        return Loop(engine, model, optimizer, loader)

    def state(self) -> dict[str, Any]:
        """All that changes, both generators included; take it between two epochs.

        Tensors and plain values only, so that ``torch.load(weights_only=True)`` reads it.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            # Its own state dict holds a function before Opacus 1.6.
            "accountant": [list(entry) for entry in self.engine.accountant.history],
            "sampling": self.loader.generator.get_state(),
            "noise": self.optimizer.generator.get_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.engine.accountant.history = [tuple(entry) for entry in state["accountant"]]
        self.loader.generator.set_state(state["sampling"])
        self.optimizer.generator.set_state(state["noise"])


def break_noise(optimizer: DPOptimizer, share: float) -> None:
    """For demonstration only: a bug that draws ``share`` of the noise the accountant is told of."""
    told, add_noise = optimizer.noise_multiplier, optimizer.add_noise

    def weaker() -> None:
        optimizer.noise_multiplier = share * told
        add_noise()
        optimizer.noise_multiplier = told

    optimizer.add_noise = weaker
