"""What a Scenario of heads names, loaded: the private head's plan, its examples, public images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from attacks.invert.heads.scenario import Scenario
from attacks.invert.overlap import FEWEST, is_near
from defenses import BadInput
from reports.commands.progress import Report
from victims.data import digest
from victims.transfer import Problem
from victims.transfer.features import store
from victims.transfer.plan import Plan, make_plan
from victims.transfer.prepare import load, prepare
from victims.transfer.scenario import Transfer

PUBLIC = 10000
"""Public images at most, the first of the test split."""


@dataclass(frozen=True)
class Stage:
    """What a Scenario names, loaded.

    Attributes:
        scenario: what is played.
        plan: of every fit with noise.
        known: the other examples of every fit.
        sought: (images + candidates - 1, d) features of the sought ones, then of the further
            candidates.
        labels: (images + candidates - 1,) int64 classes of these rows.
        truth: (images, C, H, W) in [0, 1].
        public: features (n, d) of the adversary's own images.
        images: (n, C, H, W) in [0, 1], the adversary's own.
        dropped: public images that show a private one and were left out.
        content: digest of the data that the Scenario sees.
        key: of the fits' noise.
    """

    scenario: Scenario
    plan: Plan
    known: Problem
    sought: Tensor
    labels: Tensor
    truth: Tensor
    public: Tensor
    images: Tensor
    dropped: int
    content: str
    key: str


def content(scenario: Scenario, data_root: str | None) -> str:
    """Digest of the data that a Scenario sees."""
    return digest(*load(_wide(scenario), data_root))


def _wide(scenario: Scenario) -> Transfer:
    """The Transfer whose private examples are all: sought ones, candidates and others."""
    count = scenario.images + scenario.candidates - 1 + scenario.others
    return dataclasses.replace(scenario.transfer, count=count, seed=scenario.seed)


def load_stage(
    scenario: Scenario,
    *,
    features: Path | None,
    device: str,
    data_root: str | None,
    report: Report,
) -> Stage:
    """Plan the fits, compute the features, and keep the private images from the public ones.

    Args:
        scenario: what is played.
        features: see `victims.transfer.features.store`.
        device: where features are computed.
        data_root: see `victims.load_data`.
        report: told of progress.

    Raises:
        BadInput: the Scenario cannot be played.
    """
    plan = make_plan(scenario.transfer, scenario.others + 1)
    if plan.sample_rate < 1:
        raise BadInput(
            f"{scenario.transfer.method} samples its examples, and who was sampled is hidden; "
            "take a method whose releases are of all examples"
        )
    wide = _wide(scenario)
    prepared = prepare(
        wide, folder=store(features), device=device, data_root=data_root, report=report
    )
    private, test = load(wide, data_root)
    sought = scenario.images + scenario.candidates - 1
    rows = prepared.problem
    truth = private.images[: scenario.images]
    apart = ~is_near(test.images[:PUBLIC], truth)
    index = apart.nonzero()[:, 0]
    if len(index) < FEWEST:
        raise BadInput(f"of the public images {len(index)} show no private one; take {FEWEST}")
    return Stage(
        scenario=scenario,
        plan=plan,
        known=Problem(
            rows.features[sought:], rows.labels[sought:], rows.classes, scenario.others + 1
        ),
        sought=rows.features[:sought],
        labels=rows.labels[:sought],
        truth=truth,
        public=prepared.tests[index],
        images=test.images[index],
        dropped=int((~apart).sum()),
        content=digest(private, test),
        key=prepared.key,
    )
