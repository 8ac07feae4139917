"""How much a weight difference surprises of labels in an order, learned from played clients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.meter import spend
from attacks.invert.matching.objective import replay
from defenses import Release, stream
from victims.gradients import LocalSteps

CLIENTS, OF_ONE_STEP = 1500, 200
"""Clients that are played; of one step, whose labels have no order, fewer are enough."""

TOGETHER = 64
"""At most so many at a time, and `VALUES` values of their differences."""

VALUES = 16 * 2**20

RIDGE = 10.0

SHRINK = 1e-3
"""Share by which the covariance of what labels do not explain is shrunk to its diagonal."""

TELLING = 100
"""Means that count at most, those that labels explain best: more could not be told apart from
chance by so few clients."""

RANKED = 2048
"""Sequences that are ranked at a time."""

Sequences = Tensor
"""(N, B) int64 labels in the order of the steps, sorted within each step."""


def learn_surprise(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    local: LocalSteps,
    clock: Clock,
) -> tuple[Callable[[Sequences], Tensor], Sequences]:
    """How much a release surprises of sequences (N, B), as (N,); and the sequences played."""
    draw = stream(0, "label order")
    device = next(model.parameters()).device
    size = sum(v.numel() for v in release.update.values())
    own = threat.auxiliary_images
    clients = CLIENTS if local.steps > 1 else OF_ONE_STEP
    chosen = torch.randint(len(own), (clients, local.images), generator=draw)
    labels = torch.randint(threat.classes, (clients, local.images), generator=draw)
    together = max(1, min(TOGETHER, VALUES // size))
    rows: list[Tensor] = []
    for index, given in zip(chosen.split(together), labels.split(together), strict=True):
        if len(rows) * together >= 2 * threat.classes and clock.over:
            break
        spend(index.numel())
        moves = local.differences(model, loss, own[index].to(device), given.to(device))
        for one in range(len(given)):
            update = replay({k: m[one : one + 1] for k, m in moves.items()}, release, threat)
            rows.append(_means({k: update[k] - release.update[k] for k in release.update}))
    labels = labels[: len(rows)]
    missed = torch.stack(rows)
    seen = _counts(labels, threat.classes, local)
    centre = missed.mean(0)
    kernel = (1 + seen @ seen.T).square() + RIDGE * torch.eye(len(seen), dtype=torch.float64)
    inverse = torch.linalg.inv(kernel)
    weights = inverse @ (missed - centre)
    left_out = weights / inverse.diagonal()[:, None]
    told = (missed - centre - left_out).square().mean(0) / left_out.square().mean(0).clamp(1e-300)
    best = told.argsort(descending=True, stable=True)[:TELLING]
    noise = threat.defense.noise(release) if threat.adaptive else 0.0
    white = _whitener(left_out[:, best], (noise**2 * _shares(release.update))[best])
    weights, centre = weights[:, best], centre[best]

    def surprise(sequences: Sequences) -> Tensor:
        found = []
        for part in sequences.split(RANKED):
            near = (1 + _counts(part, threat.classes, local) @ seen.T).square()
            found.append(((near @ weights + centre) @ white).square().sum(1))
        return torch.cat(found)

    return surprise, sort_steps(labels, local)


def _counts(sequences: Sequences, classes: int, local: LocalSteps) -> Tensor:
    """(N, steps * classes) float64, how often each label is in each step."""
    one_hot = torch.nn.functional.one_hot(sequences, classes).double()
    return one_hot.reshape(len(sequences), local.steps, local.batch, classes).sum(2).flatten(1)


def sort_steps(sequences: Tensor, local: LocalSteps) -> Sequences:
    """The labels of each step in ascending order, for their order within it changes nothing."""
    return sequences.reshape(-1, local.steps, local.batch).sort(2).values.flatten(1)


def _means(update: dict[str, Tensor]) -> Tensor:
    """(D,) float64 on the CPU: the mean over all but the first axis of each parameter."""
    each = [v.double().reshape(len(v) if v.ndim else 1, -1).mean(1) for v in update.values()]
    return torch.cat(each).cpu()


def _shares(update: dict[str, Tensor]) -> Tensor:
    """(D,) float64: one over how many values each of `_means` is of."""
    parts = [(len(v) if v.ndim else 1, v.numel()) for v in update.values()]
    return torch.cat([torch.full((n,), n / max(1, total)).double() for n, total in parts])


def _whitener(errors: Tensor, noise: Tensor) -> Tensor:
    """(D, D) W with W W^T the inverse covariance of errors (N, D), shrunk, and of noise (D,)."""
    covariance = errors.T @ errors / len(errors)
    spread = covariance.diagonal()
    covariance = (1 - SHRINK) * covariance + torch.diag(
        SHRINK * spread + noise + 1e-9 * spread.max() + 1e-300
    )
    values, vectors = torch.linalg.eigh(covariance)
    white: Tensor = vectors / values.clamp(min=1e-300).sqrt()
    return white
