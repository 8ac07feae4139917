"""Runs a federation, watches it as its server, and scores every candidate."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import torch

from attacks.membership.shadows.candidates import Candidates
from attacks.membership.shadows.train import Piece
from attacks.membership.study import record
from attacks.membership.updates.control import is_defended, twin_scores, with_control
from attacks.membership.updates.observe import TARGET, observe
from attacks.membership.updates.scenario import Scenario
from attacks.membership.updates.scores import add_up
from attacks.membership.updates.watch import Named
from defenses import BadInput, stream
from defenses.options import shown_options
from defenses.privacy.accounting import gaussian_epsilon
from reports.commands.progress import Report, unwatched
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import ClaimBounds
from victims.data import Data
from victims.federated.plan import UNITS, Plan
from victims.federated.server import Server
from victims.federated.victim import Victim, load_victim


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
) -> Record:
    """Seek a participant's members in what the server of a federation sees.

    Args:
        scenario: the federation, and what the server sees.
        out: not used: there is one piece.
        device: ``cpu``, where a federation in this process runs.
        data_root: see `victims.load_data`.
        report: told of the rounds.

    Returns:
        The Record, as that of a training, see `attacks.membership.study.record`; in the place of
        shadow models stand the other participants, and its summary has a ``control``: what the
        attacks find where nothing defends the uploads, of a twin played beside a defended one.

    Raises:
        BadInput: the Scenario cannot be played.
    """
    f = scenario.federation
    victim = load_victim(f, data_root)
    candidates, others = draw(victim, scenario.examples)
    twice = is_defended(scenario)

    def tell(line: str, done: int, total: int) -> None:
        report(line, done, total * (1 + twice))

    def tell_of_twin(line: str, done: int, total: int) -> None:
        report(f"{line} without a defense", total + done, total * 2)

    sums = scenario.secure_aggregation
    server = victim.server(sums=sums)
    seen = observe(victim, server, candidates, tell)
    scores = add_up(seen.mine, seen.rest)
    plain = scores
    if twice:
        plain = twin_scores(victim, candidates, data_root, tell_of_twin, sums=sums)
    made = record(
        scenario.document(),
        claim_of(victim.plan, seen.server),
        candidates,
        pieces(victim, seen.server, candidates, others),
        scores,
        environment(seed=f.seed, device=device) | {"data_sha256": candidates.content},
    )
    return with_control(made, plain, candidates.members[0], twice)


def draw(victim: Victim, examples: int) -> tuple[Candidates, list[Data]]:
    """Candidates, members by fair coins; and the data of everybody else.

    The candidates are the target's part and as many examples that nobody has. What theory allows,
    by (epsilon, delta), is of an example that is there or not and says nothing of the others, so
    that a known number of members would put the line too low.

    Raises:
        BadInput: fewer examples are left than the target has.
    """
    f = victim.plan.federation
    free = torch.ones(len(victim.train.labels), dtype=torch.bool)
    free[victim.owners] = False
    draw = stream(f.seed, "candidates of an update")
    unused = free.nonzero()[:, 0]
    if len(unused) < examples:
        raise BadInput(
            f"{f.participants} participants of {examples} examples and {examples} further "
            f"candidates need {(f.participants + 1) * examples}; there are "
            f"{len(victim.train.labels)}"
        )
    unused = unused[torch.randperm(len(unused), generator=draw)[:examples]]
    shares = victim.owners.split(examples)
    pool = victim.train.take(torch.cat([shares[TARGET], unused]))
    members = torch.rand(2 * examples, generator=draw) < 0.5
    others = [victim.train.take(share) for share in shares[TARGET + 1 :]]
    return Candidates(pool, victim.test, members[None]), others


def content(scenario: Scenario, data_root: str | None = None) -> str:
    """Digest of the examples that a Scenario is played on."""
    return draw(load_victim(scenario.federation, data_root), scenario.examples)[0].content


def pieces(
    victim: Victim, server: Server, candidates: Candidates, others: list[Data]
) -> list[Piece]:
    """What the federation's last weights get right, of the target and of everybody else."""
    inside = candidates.members[0]
    pool, index = candidates.pool, torch.arange(len(inside))

    def right(weights: Named, data: Data) -> float:
        asked = dataclasses.replace(victim, test=data)
        return asked.correct(weights) / max(1, len(data.labels))

    outside = right(server.weights, pool.take(index[~inside]))
    facts = {
        "inside": right(server.weights, pool.take(index[inside])),
        "outside": outside,
        "start": right(victim.start, pool.take(index[inside])),
    }
    found = [Piece(facts, {})]
    for data in others:
        found.append(Piece({"inside": right(server.weights, data), "outside": outside}, {}))
    return found


def claim_of(plan: Plan, server: Server) -> ClaimBounds:
    """What is guaranteed of one example of the target against whoever sees its uploads.

    A guarantee of a whole update says that it is there or not; one example makes it another
    update, which is twice as far: half of the noise counts.
    """
    f, uploads = plan.federation, server.asked[TARGET]
    noise = plan.defense.effective_noise()
    if plan.unit == "example" or plan.sparse is not None:
        epsilon = plan.epsilon(uploads)
    elif plan.unit == "upload" and noise > 0:
        epsilon = gaussian_epsilon(
            noise / 2, steps=uploads, sample_rate=1.0, delta=f.delta, accountant="prv"
        )
    else:
        epsilon = math.inf
    return ClaimBounds(
        options=shown_options(plan.defense),
        epsilon=epsilon if math.isfinite(epsilon) else None,
        delta=f.delta,
        steps=uploads,
        sample_rate=plan.sample_rate if plan.unit == "example" else 1.0,
        assumes=f"one example of the target, from: {UNITS[plan.unit]}",
        holds=True,
    )
