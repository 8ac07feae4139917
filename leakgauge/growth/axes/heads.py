"""Membership inference on a private head against its shadow heads."""

from __future__ import annotations

from functools import partial

import torch

import defenses
from attacks.membership.heads import command
from attacks.membership.heads.scenario import Scenario
from leakgauge.growth.axis import Act, Axis
from victims.transfer.scenario import Transfer

EXAMPLES, FEATURES, CLASSES = 300, 64, 10


def _study(size: int, seed: int) -> Act:
    transfer = Transfer(
        method="dp-fc", backbone="raw", data="digits", count=EXAMPLES, epsilon=1.0, seed=seed
    )
    return partial(command.run, Scenario(transfer=transfer, shadows=size, seed=seed))


def _regressions(size: int, seed: int) -> Act:
    """As many ridge regressions of as many examples, one after another."""
    draw = defenses.stream(seed, "growth")
    rows = torch.randn(EXAMPLES, FEATURES, generator=draw, dtype=torch.float64)
    targets = torch.randn(EXAMPLES, CLASSES, generator=draw, dtype=torch.float64)
    ridge = torch.eye(FEATURES, dtype=torch.float64)

    def fit_all() -> None:
        for _ in range(size):
            torch.linalg.solve(rows.T @ rows + ridge, rows.T @ targets)

    return fit_all


HEADS = Axis(
    label="shadow heads",
    sizes=(4, 16, 64, 256),
    measured=f"members of a head, {EXAMPLES} digits",
    floor="ridge regressions",
    prepare=_study,
    prepare_floor=_regressions,
)
