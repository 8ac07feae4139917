"""One Trial from private examples to a Record."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.membership.contract import Evidence, Membership
from attacks.membership.evaluate import evaluate
from attacks.membership.scenario import Trial, attack_of
from attacks.membership.shadows.candidates import Candidates, draw
from attacks.membership.shadows.train_all import Piece, train_all
from defenses import stream
from defenses.registry import shown_options
from reports.records import Record
from reports.records.environment import environment
from reports.records.membership import KIND
from victims.training.plan import Plan, plan

REHEARSED = 100
EXPOSED = 16
"""So many of the most exposed members are kept as pictures."""


def perform(
    trial: Trial,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Callable[[str, int, int], None] = lambda line, done, total: None,
    jobs: int = 1,
) -> Record:
    """Train target and shadows, score every candidate with every attack.

    Args:
        trial: what is played.
        out: folder in which finished models' logits are kept; None keeps none.
        device: where models are trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        jobs: models trained at a time.

    Returns:
        ``rows``: one per candidate, most exposed first: member, label, each attack's score, and
        ``false_alarms``, how many non-members score at least as high under the attack with the
        highest AUC: whom accusing it would accuse wrongly. Arrays: ``members``,
        ``scores/ATTACK``, ``exposed`` images.

    Raises:
        BadInput: it cannot be played; before anything is trained.
    """
    attacks = {text: attack_of(text) for text in trial.attacks}
    candidates = draw(trial, data_root)
    made = plan(trial.training, trial.members)
    rehearse(trial, attacks, candidates)
    pieces, how = train_all(
        trial, candidates, out=out, device=device, data_root=data_root, jobs=jobs, report=report
    )
    seen = evidence(candidates, pieces)
    truth = candidates.members[0]
    scores = {text: attack.scores(seen).cpu() for text, attack in attacks.items()}
    # Sorted, for files give tensors back in another order, and equal AUCs go to the first.
    scores |= {k: v for k, v in sorted(pieces[0][1].items()) if k.startswith("gradient-")}
    parts = {name: evaluate(values, truth) for name, values in scores.items()}
    names = dict.fromkeys(key for part in parts.values() for key in part)
    summary: dict[str, Any] = {
        key: {name: part[key] for name, part in parts.items()} for key in names
    }
    strongest = max(parts, key=lambda name: parts[name]["auc"]["mean"])
    rows, exposed = _rows(candidates, scores, strongest)
    facts = environment(seed=trial.seed, device=device)
    facts["data_sha256"] = candidates.content
    facts["how"] = {**how, "seconds_per_model": [p[0]["seconds"] for p in pieces]}
    arrays = {f"scores/{name}": values.double() for name, values in scores.items()}
    arrays |= {"members": truth.to(torch.uint8), "exposed": exposed}
    summary["models"] = {
        "target": {k: v for k, v in pieces[0][0].items() if k != "seconds"},
        "shadows": {k: _mean([p[0][k] for p in pieces[1:]]) for k in ("inside", "outside")},
    }
    summary["strongest"] = strongest
    baseline = {"auc": 0.5, "tpr": "the FPR itself, for whoever guesses"}
    return Record(KIND, trial.document(), rows, summary, baseline, bounds(made), facts, arrays)


def rehearse(trial: Trial, attacks: dict[str, Membership], candidates: Candidates) -> None:
    """Let every attack score made-up logits, so that what it lacks is said before the training.

    Raises:
        BadInput: too few shadow models for an attack, say.
    """
    generator = stream(trial.seed, "rehearsal")
    few, classes = slice(REHEARSED), candidates.pool.classes
    labels, others = candidates.pool.labels[few], candidates.population.labels[few]

    def logits(*shape: int) -> Tensor:
        return torch.randn(*shape, trial.queries, classes, generator=generator)

    made_up = Evidence(
        target_logits=logits(len(labels)),
        labels=labels,
        shadow_logits=logits(trial.shadows, len(labels)),
        shadow_members=candidates.members[1:, few],
        population_target_logits=logits(len(others)),
        population_shadow_logits=logits(trial.shadows, len(others)),
        population_labels=others,
    )
    for attack in attacks.values():
        attack.scores(made_up)


def evidence(candidates: Candidates, pieces: list[Piece]) -> Evidence:
    """What the adversary holds: logits of the target and of its own models."""
    return Evidence(
        target_logits=pieces[0][1]["pool"],
        labels=candidates.pool.labels,
        shadow_logits=torch.stack([p[1]["pool"] for p in pieces[1:]]),
        shadow_members=candidates.members[1:],
        population_target_logits=pieces[0][1]["population"],
        population_shadow_logits=torch.stack([p[1]["population"] for p in pieces[1:]]),
        population_labels=candidates.population.labels,
    )


def bounds(made: Plan) -> dict[str, Any]:
    """What theory says of the target's whole training; epsilon None: nothing."""
    epsilon = made.epsilon(made.steps)
    told = shown_options(made.defense)
    options = {k: v for k, v in told.items() if isinstance(v, int | float | str)}
    return {
        "options": options,
        "epsilon": epsilon if math.isfinite(epsilon) else None,
        "delta": made.training.delta,
        "steps": made.steps,
        "sample_rate": made.sample_rate,
        "assumes": "Poisson sampling, add/remove adjacency",
        "holds": made.holds,
    }


def _rows(
    candidates: Candidates, scores: dict[str, Tensor], strongest: str
) -> tuple[list[dict[str, Any]], Tensor]:
    """A row per candidate, highest score of the strongest attack first; exposed members' images."""
    truth, labels = candidates.members[0], candidates.pool.labels
    best = scores[strongest].double()
    others = best[~truth].sort().values
    alarms = len(others) - torch.searchsorted(others, best)
    order = best.argsort(descending=True, stable=True).tolist()
    rows = [
        {
            "example": i,
            "member": bool(truth[i]),
            "label": candidates.pool.names[int(labels[i])],
            "false_alarms": int(alarms[i]),
            "scores": {name: float(values[i]) for name, values in scores.items()},
        }
        for i in order
    ]
    top = [row["example"] for row in rows if row["member"]][:EXPOSED]
    return rows, candidates.pool.images[top]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
