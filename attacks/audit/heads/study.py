"""Fits a head many times, with a canary and without, and bounds its epsilon from below."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.audit.contract import lower_bound, registry
from attacks.audit.heads.likelihood import log_ratios
from attacks.audit.heads.scenario import Scenario
from attacks.audit.verdicts import doubt, verdict
from defenses import BadInput, stream
from reports.commands.progress import Report, expect, unwatched
from reports.detection import auc, sample
from reports.records import Record
from reports.records.audit import KIND, Look, Row
from reports.records.environment import environment
from reports.records.training import ClaimBounds
from victims.data import digest
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Problem
from victims.transfer.cost import seconds_of
from victims.transfer.features import store
from victims.transfer.mechanism import count_use
from victims.transfer.plan import Plan
from victims.transfer.prepare import Prepared, load, prepare


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    features: Path | None = None,
) -> Record:
    """Play the game and compare what it proves with the claim.

    The adversary knows the method, all examples but the canary, and every release, so the scores
    are the likelihood ratios of `log_ratios`: nobody does better.

    Args:
        scenario: what is audited, and how.
        out: not used: a game takes minutes.
        device: where features are computed.
        data_root: see `victims.load_data`.
        report: called with the fits done.
        features: see `victims.transfer.features.store`.

    Returns:
        The Record. Its arrays are ``scores`` (releases, runs), of all releases up to each, and
        ``inserted`` (runs,).

    Raises:
        BadInput: the Scenario cannot be played.
    """
    rehearse(scenario)
    prepared = prepare(
        scenario.transfer,
        folder=store(features),
        device=device,
        data_root=data_root,
        report=report,
    )
    if prepared.plan.sample_rate < 1:
        raise BadInput(
            f"{scenario.transfer.method} samples its examples: take attacks.audit --layers last"
        )
    scores, inserted = play(scenario, prepared, report)
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = prepared.data
    return _record(scenario, prepared.plan, scores, inserted, facts)


def content(scenario: Scenario, data_root: str | None) -> str:
    """Digest of the data that a Scenario sees."""
    return digest(*load(scenario.transfer, data_root))


def play(scenario: Scenario, prepared: Prepared, report: Report) -> tuple[Tensor, Tensor]:
    """Scores (releases, runs) and coins (runs,) of all fits."""
    plan, without = prepared.plan, prepared.problem
    joined = _with_canary(scenario, prepared)
    coins = torch.rand(scenario.runs, generator=stream(scenario.seed, "coins")) < 0.5
    columns, key = [], prepared.key
    expect(report, lambda: seconds_of(plan.method, without, scenario.runs))
    for run, there in enumerate(coins.tolist()):
        report(f"fit {run + 1}", run, scenario.runs)
        draw = Repeatable(scenario.seed, f"audit {key} {run}")
        with count_use(
            Gaussian(plan.noise, draw, keep=True), plan.releases, plan.sample_rate
        ) as mechanism:
            plan.method.fit(joined if there else without, mechanism)
        columns.append(log_ratios(plan.method, without, joined, mechanism.seen).cumsum(0))
    return torch.stack(columns, 1), coins


def _with_canary(scenario: Scenario, prepared: Prepared) -> Problem:
    """The private examples and the canary: a test example, with another class's label."""
    p, draw = prepared.problem, stream(scenario.seed, "canary")
    place = int(torch.randint(len(prepared.labels), (1,), generator=draw))
    shift = 1 + int(torch.randint(p.classes - 1, (1,), generator=draw))
    label = (prepared.labels[place] + shift) % p.classes
    features = torch.cat([p.features, prepared.tests[place : place + 1]])
    return dataclasses.replace(p, features=features, labels=torch.cat([p.labels, label[None]]))


def rehearse(scenario: Scenario) -> None:
    """Raise `BadInput` where even perfect scores could not prove anything."""
    half = torch.arange(scenario.runs) % 2 == 0
    how = {"method": scenario.auditor, "confidence": scenario.confidence}
    lower_bound(half, half, delta=scenario.transfer.delta, **how)  # type: ignore[arg-type]


def _bound(scenario: Scenario, scores: Tensor, inserted: Tensor) -> float:
    if int(inserted.sum()) in (0, len(inserted)) or len(scores.unique()) == 1:
        return 0.0  # unlucky coins, or nothing seen
    auditor = registry.get(scenario.auditor)
    alpha = 1 - scenario.confidence
    return auditor.bound(scores, inserted, delta=scenario.transfer.delta, alpha=alpha)


def _record(
    scenario: Scenario, plan: Plan, scores: Tensor, inserted: Tensor, facts: dict[str, Any]
) -> Record:
    claimed = plan.epsilon() if scenario.claim is None else scenario.claim
    audited = _bound(scenario, scores[-1], inserted)
    reach = _bound(scenario, inserted.double(), inserted)
    doubted = doubt(claimed, reach)
    told = claimed if math.isfinite(claimed) else None
    row = Row(
        defense=scenario.transfer.method,
        method=scenario.auditor,
        claimed=told,
        audited=audited,
        confidence=scenario.confidence,
        reach=reach,
        control=None,
        verdict=verdict(claimed, audited, "", doubted),
        doubt=doubted,
        assumes=registry.find(scenario.auditor).assumes,
        unclaimed="",
        canary=scenario.canary,
        canaries=len(inserted),
        inserted=int(inserted.sum()),
    )
    look = Look(step=plan.releases, claimed=told, audited={scenario.auditor: audited})
    bounds = ClaimBounds(options=plan.options(), epsilon=told, **plan.bounds())
    return Record(
        KIND,
        scenario.document(),
        [row],
        {"audits": {"auc": auc(sample(scores[-1], inserted)).document()}, "along": [look]},
        {"audited": 0.0, "auc": 0.5},
        bounds,
        facts,
        {"scores": scores, "inserted": inserted.to(torch.uint8)},
    )
