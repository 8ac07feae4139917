"""Turns a membership Scenario into its Record: models are trained, candidates scored, recorded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.membership.contract import Evidence, Membership
from attacks.membership.evaluate import evaluate
from attacks.membership.scenario import Scenario, attack_of
from attacks.membership.shadows.candidates import Candidates, draw
from attacks.membership.shadows.train_all import Piece, train_all
from defenses import stream
from reports.commands.progress import Report, unwatched
from reports.records import Record
from reports.records.environment import environment
from reports.records.membership import KIND, START, Row
from reports.records.training import ClaimBounds
from victims.training.plan import Plan, make_plan

REHEARSED = 100
"""So many candidates have made-up logits in a rehearsal."""
PICTURES = 16
"""So many of the most exposed members are kept as pictures."""


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    jobs: int = 1,
) -> Record:
    """Train target and shadows, and score every candidate with every attack.

    Args:
        scenario: whose training is attacked, and with what.
        out: the folder in which finished models' logits are kept; None keeps none.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: called with the progress.
        jobs: how many models are trained at a time.

    Returns:
        The Record, see `record`.

    Raises:
        BadInput: the Scenario cannot be played; before anything is trained.
    """
    attacks = {text: attack_of(text) for text in scenario.attacks}
    candidates = draw(scenario, data_root)
    target = make_plan(scenario.training, scenario.members)
    rehearse(scenario, attacks, candidates)
    pieces, how = train_all(
        scenario, candidates, out=out, device=device, data_root=data_root, jobs=jobs, report=report
    )
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = candidates.content
    facts["how"] = {**how, "seconds_per_model": [piece.facts["seconds"] for piece in pieces]}
    scores = score(attacks, candidates, pieces)
    bounds = claim_of(target)
    return record(scenario.document(), bounds, candidates, pieces, scores, facts)


def claim_of(plan: Plan) -> ClaimBounds:
    """What a training claims, as the bounds of a Record."""
    epsilon = plan.epsilon(plan.steps)
    spent = epsilon if math.isfinite(epsilon) else None  # None: nothing is guaranteed
    return ClaimBounds(options=plan.options(), epsilon=spent, **plan.bounds())


def score(
    attacks: dict[str, Membership], candidates: Candidates, pieces: list[Piece]
) -> dict[str, Tensor]:
    """Every attack's scores (2n,) of the candidates, higher = more likely a member of the target's.

    Those of whoever sees the target's releases come last, under names of their own.
    """
    held = evidence(candidates, pieces)
    scores = {text: attack.scores(held).cpu() for text, attack in attacks.items()}
    # Sorted, for files give tensors back in another order, and equal AUCs go to the first.
    watched = sorted(pieces[0].tensors.items())
    return scores | {k: v for k, v in watched if k.startswith("gradient-")}


def record(
    document: dict[str, Any],
    bounds: ClaimBounds,
    candidates: Candidates,
    pieces: list[Piece],
    scores: dict[str, Tensor],
    facts: dict[str, Any],
) -> Record:
    """The Record of scored candidates of a Scenario, of which ``document`` is.

    Args:
        document: of the Scenario.
        bounds: what the target claims.
        candidates: who may have been a member.
        pieces: what is kept of target and shadows, in this order.
        scores: attack -> (2n,) of the candidates.
        facts: the environment.

    Returns:
        A row per candidate, most exposed first; the strongest attack is that with the highest
        AUC. Arrays: ``members``, ``scores/ATTACK``, and ``exposed``, images of the members found
        out first.
    """
    truth = candidates.members[0]
    parts = {name: evaluate(values, truth) for name, values in scores.items()}
    metrics = dict.fromkeys(key for part in parts.values() for key in part)
    summary: dict[str, Any] = {
        key: {name: part[key] for name, part in parts.items()} for key in metrics
    }
    target, shadows = pieces[0].facts, [piece.facts for piece in pieces[1:]]
    summary["models"] = {
        "target": {k: v for k, v in target.items() if k != "seconds"},
        "shadows": {k: _mean([shadow[k] for shadow in shadows]) for k in ("inside", "outside")},
    }
    strongest = max(parts, key=lambda name: parts[name]["auc"]["mean"])
    summary["strongest"] = strongest
    rows = rows_of(candidates, scores, strongest)
    first = [row["example"] for row in rows if row["member"]][:PICTURES]
    arrays = {f"{START}{name}": values.double() for name, values in scores.items()}
    arrays |= {"members": truth.to(torch.uint8), "exposed": candidates.pool.images[first]}
    baseline = {"auc": 0.5, "tpr": "the FPR itself, for whoever guesses"}
    return Record(KIND, document, rows, summary, baseline, bounds, facts, arrays)


def rehearse(scenario: Scenario, attacks: dict[str, Membership], candidates: Candidates) -> None:
    """Let every attack score made-up logits, so that what it lacks is said before the training.

    Raises:
        BadInput: too few shadow models for an attack, say.
    """
    generator = stream(scenario.seed, "rehearsal")
    few, classes = slice(REHEARSED), candidates.pool.classes
    labels, others = candidates.pool.labels[few], candidates.population.labels[few]

    def logits(*shape: int) -> Tensor:
        return torch.randn(*shape, scenario.queries, classes, generator=generator)

    made_up = Evidence(
        target_logits=logits(len(labels)),
        labels=labels,
        shadow_logits=logits(scenario.shadows, len(labels)),
        shadow_members=candidates.members[1:, few],
        population_target_logits=logits(len(others)),
        population_shadow_logits=logits(scenario.shadows, len(others)),
        population_labels=others,
    )
    for attack in attacks.values():
        attack.scores(made_up)


def evidence(candidates: Candidates, pieces: list[Piece]) -> Evidence:
    """What the adversary holds: logits of the target and of its own models."""
    return Evidence(
        target_logits=pieces[0].tensors["pool"],
        labels=candidates.pool.labels,
        shadow_logits=torch.stack([p.tensors["pool"] for p in pieces[1:]]),
        shadow_members=candidates.members[1:],
        population_target_logits=pieces[0].tensors["population"],
        population_shadow_logits=torch.stack([p.tensors["population"] for p in pieces[1:]]),
        population_labels=candidates.population.labels,
    )


def rows_of(candidates: Candidates, scores: dict[str, Tensor], strongest: str) -> list[Row]:
    """A row per candidate, that with the highest score of the strongest attack first."""
    truth, labels = candidates.members[0], candidates.pool.labels
    best = scores[strongest].double()
    others = best[~truth].sort().values
    alarms = len(others) - torch.searchsorted(others, best)
    return [
        Row(
            example=i,
            member=bool(truth[i]),
            label=candidates.pool.names[int(labels[i])],
            false_alarms=int(alarms[i]),
            scores={name: float(values[i]) for name, values in scores.items()},
        )
        for i in best.argsort(descending=True, stable=True).tolist()
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
