"""A linear layer trained by Opacus, as its users train one."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from victims.transfer.prepare import Prepared


@dataclass(frozen=True)
class Settings:
    """How the layer is trained; by default for as many steps as `dp-sgd` takes on 60,000 examples.

    Attributes:
        batch_size: expected examples of a Poisson batch.
        epochs: in batches as many as make the data once.
        lr: learning rate, of the mean gradient.
        momentum: of the steps.
    """

    batch_size: int = 2048
    epochs: int = 10
    lr: float = 16.0
    momentum: float = 0.9


def opacus_labels(prepared: Prepared, epsilon: float, seed: int, settings: Settings) -> Tensor:
    """The labels (M,) of the tests by a layer that spends ``epsilon`` at the plan's delta.

    Gradients are clipped to 1, the norm of a row of the features; weights, unlike those of this
    project's heads, begin at random and have biases.

    Args:
        prepared: features and labels.
        epsilon: > 0; infinite: no noise, clipped all the same.
        seed: of batches, noise and first weights.
        settings: of the training.
    """
    from opacus import PrivacyEngine
    from torch.utils.data import DataLoader, TensorDataset

    problem = prepared.problem
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a generator that is good for experiments, say
        torch.manual_seed(seed)
        model: nn.Module = nn.Linear(problem.dim, problem.classes)
        optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr, momentum=settings.momentum)
        loader = DataLoader(
            TensorDataset(problem.features, problem.labels),
            batch_size=min(settings.batch_size, len(problem.labels)),
        )
        given = {
            "module": model,
            "optimizer": optimizer,
            "data_loader": loader,
            "max_grad_norm": 1.0,
        }
        engine = PrivacyEngine()
        if math.isinf(epsilon):
            model, optimizer, loader = engine.make_private(noise_multiplier=0.0, **given)
        else:
            delta = prepared.plan.transfer.delta
            model, optimizer, loader = engine.make_private_with_epsilon(
                target_epsilon=epsilon, target_delta=delta, epochs=settings.epochs, **given
            )
        for _ in range(settings.epochs):
            for rows, labels in loader:
                optimizer.zero_grad()
                cross_entropy(model(rows), labels).backward()
                optimizer.step()
        with torch.no_grad():
            found: Tensor = model(prepared.tests).argmax(1)
    return found
