"""Fits a target and its shadows, and scores every candidate by the heads' logits."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from attacks.membership.heads.scenario import Scenario
from attacks.membership.scenario import attack_of
from attacks.membership.shadows.candidates import draw_members, split
from attacks.membership.shadows.train import Piece
from attacks.membership.study import evidence, record
from reports.commands.progress import Report, expect, unwatched
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import ClaimBounds
from victims.data import digest, load_data
from victims.training.streams import Repeatable, Streams
from victims.transfer import Gaussian, Problem
from victims.transfer.cost import seconds_of
from victims.transfer.features import store
from victims.transfer.mechanism import count_use
from victims.transfer.plan import Plan, make_plan
from victims.transfer.prepare import prepare
from victims.transfer.scenario import Transfer


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    features: Path | None = None,
) -> Record:
    """Attack a head's members.

    Args:
        scenario: whose fit is attacked, and with what.
        out: not used: shadows take seconds.
        device: where features are computed.
        data_root: see `victims.load_data`.
        report: called with the heads fitted.
        features: see `victims.transfer.features.store`.

    Returns:
        The Record, as that of a training, see `attacks.membership.study.record`.

    Raises:
        BadInput: the Scenario cannot be played.
    """
    attacks = {text: attack_of(text) for text in scenario.attacks}
    plan = make_plan(scenario.transfer, scenario.members)
    wide = _wide(scenario)
    prepared = prepare(
        wide, folder=store(features), device=device, data_root=data_root, report=report
    )
    rows = prepared.problem
    data = load_data(
        wide.data, split="train", count=wide.count, root=data_root, size=wide.size, seed=wide.seed
    )
    candidates = split(data, draw_members(scenario.members, scenario.shadows, scenario.seed))
    pieces: list[Piece] = []
    first = _of(rows, candidates.members[0], plan)
    expect(report, lambda: seconds_of(plan.method, first, len(candidates.members)))
    for model, chosen in enumerate(candidates.members):
        report(f"head {model}", model, len(candidates.members))
        draw = Repeatable(scenario.seed, f"membership {prepared.key} {model}")
        pieces.append(_fit(rows, chosen, plan, draw))
    held = evidence(candidates, pieces)
    scores = {text: attack.scores(held).cpu() for text, attack in attacks.items()}
    about = environment(seed=scenario.seed, device=device)
    about["data_sha256"] = candidates.content
    return record(scenario.document(), claim_of(plan), candidates, pieces, scores, about)


def content(scenario: Scenario, data_root: str | None = None) -> str:
    """Digest of the examples that a Scenario is played on."""
    t = _wide(scenario)
    data = load_data(t.data, split="train", count=t.count, root=data_root, size=t.size, seed=t.seed)
    index = torch.arange(len(data.labels))
    return digest(
        *(data.take(part) for part in index.split([2 * scenario.members, scenario.population]))
    )


def claim_of(plan: Plan) -> ClaimBounds:
    """What a head claims, as the bounds of a Record."""
    epsilon = plan.epsilon()
    told = epsilon if math.isfinite(epsilon) else None
    return ClaimBounds(options=plan.options(), epsilon=told, **plan.bounds())


def _fit(rows: Problem, members: Tensor, plan: Plan, draw: Streams) -> Piece:
    """A head of the members of the pool, and its logits of the pool and of the population.

    Args:
        rows: of the pool, then of the population.
        members: (N,) bool, of the pool.
        plan: of the fit.
        draw: the fit's noise.
    """
    began = time.monotonic()
    with count_use(Gaussian(plan.noise, draw), plan.releases, plan.sample_rate) as mechanism:
        head = plan.method.fit(_of(rows, members, plan), mechanism)
    logits = (rows.features.double() @ head.T)[:, None]
    pool, population = logits[: len(members)], logits[len(members) :]
    labels = rows.labels[: len(members)]
    right = pool[:, 0].argmax(1) == labels
    facts = {
        "inside": float(right[members].double().mean()),
        "outside": float(right[~members].double().mean()),
        # A head of zeros, as before the fit, names the first class.
        "start": float((labels[members] == 0).double().mean()),
        "seconds": time.monotonic() - began,
    }
    return Piece(facts, {"pool": pool.float(), "population": population.float()})


def _wide(scenario: Scenario) -> Transfer:
    """The Transfer whose private examples are candidates and population together."""
    count = 2 * scenario.members + scenario.population
    return dataclasses.replace(scenario.transfer, count=count, seed=scenario.seed)


def _of(rows: Problem, members: Tensor, plan: Plan) -> Problem:
    """The problem of those rows of the pool that are members."""
    index = members.nonzero()[:, 0]
    return Problem(rows.features[index], rows.labels[index], rows.classes, plan.examples)
