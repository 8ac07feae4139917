"""What tests of defenses ask of an update."""

from __future__ import annotations

import dataclasses

import torch

from victims.training import Training


def mean_of(grads):
    return {k: g.mean(0) for k, g in grads.items()}


def flat(update):
    return torch.cat([v.flatten() for v in update.values()])


def training(**changed):
    start = Training(data="digits", count=200, model="mlp", batch_size=20, epochs=2, lr=0.5)
    return dataclasses.replace(start, **changed)
