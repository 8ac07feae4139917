"""A small training for the tests of its parts, and what they ask of it."""

from __future__ import annotations

import dataclasses

import torch

from victims.training import Training, prepare

SMALL = Training(
    data="digits", count=200, model="mlp", defense="dpsgd", batch_size=20, epochs=2, lr=0.5
)


def small(**changed):
    return dataclasses.replace(SMALL, **changed)


def trainer_of(**changed):
    return prepare.prepare(small(**changed)).trainer


def weights(trainer):
    return {k: p.detach().clone() for k, p in trainer.parameters.items()}


def same(first, second):
    return all(torch.equal(first[k], second[k]) for k in first)
