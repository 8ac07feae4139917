"""Evidence that is simulated, with what is true of it known."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from attacks.membership import Evidence
from reports import detection
from tests.conftest import seeded


def halves(pairs, count, draw):
    """Shadow models in pairs of complements, so that everyone is in half of them."""
    half = torch.rand(pairs, count, generator=draw) < 0.5
    return torch.stack([half, ~half], 1).flatten(0, 1)


def simulate(count=200, pairs=4, classes=4, gap=2.0, queries=None, seed=0):
    """Evidence whose members get ``gap`` more of the true logit, and the truth."""
    draw = seeded(seed)
    models = 2 * pairs + 1
    labels = torch.randint(classes, (count,), generator=draw)
    truth = torch.rand(count, generator=draw) < 0.5
    inside = torch.cat([truth[None], halves(pairs, count, draw)])
    others = torch.randint(classes, (count,), generator=draw)
    nobody = torch.zeros(models, count, dtype=torch.bool)

    def logits(labels, inside):
        views = queries or 1
        hard = torch.randn(count, 1, 1, generator=draw)
        found = torch.randn(models, count, views, classes, generator=draw)
        own = labels[:, None, None].expand(count, views, 1)
        found += (hard + gap * inside[..., None, None]) * nn.functional.one_hot(own[..., 0])
        return found if queries else found[:, :, 0]

    seen, away = logits(labels, inside), logits(others, nobody)
    evidence = Evidence(seen[0], labels, seen[1:], inside[1:], away[0], away[1:], others)
    return evidence, truth


def area(scores, truth):
    return detection.auc(detection.sample(scores, truth)).mean


def lacking(field):
    return lambda e: dataclasses.replace(e, **{field: None})


def with_members(fill):
    """Example 4 in or out of every shadow."""

    def make(evidence):
        members = evidence.shadow_members.clone()
        members[:, 4] = fill
        return dataclasses.replace(evidence, shadow_members=members)

    return make
