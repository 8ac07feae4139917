"""Makes rows and Record of a federation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from reports.commands.origins import origins
from reports.estimates import Estimate
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import KIND, FederatedBounds, OneParticipant, Round
from victims.federated.plan import UNITS
from victims.federated.server import Server
from victims.federated.victim import Victim


def row_of(victim: Victim, server: Server, round: int) -> Round:
    """What a federation has come to after so many rounds."""
    total = len(victim.test.labels)
    accuracy = Estimate.share(victim.correct(server.weights), total)
    rate_at = getattr(server.plan.defense, "rate_at", None)
    return Round(
        epoch=round,
        step=server.added,
        accuracy=accuracy.mean,
        low=accuracy.low,
        high=accuracy.high,
        epsilon=_told(_largest(server, round)),
        holds=True,
        rate=rate_at(round - 1, server.plan.federation.rounds) if rate_at else None,
        wire_bytes=server.received,
        rejected=sum(sum(counts.values()) for counts in server.rejected),
        staleness=_mean(server.ages),
        sent_bytes=server.sent,
    )


def record_of(
    victim: Victim, server: Server, rows: Sequence[Round], device: str, command: str
) -> Record:
    """The Record of a federation that has come to its end.

    Args:
        victim: what it worked on.
        server: at its end.
        rows: a row per round.
        device: where it was run.
        command: the command that runs it again.
    """
    last = rows[-1]
    accuracy = Estimate(last["accuracy"], last["low"], last["high"], n=len(victim.test.labels))
    rejected: Counter[str] = Counter()
    for counts in server.rejected:
        rejected.update(counts)
    document = server.plan.federation.document()
    facts = environment(seed=server.plan.federation.seed, device=device)
    facts["command"] = command
    facts["origins"] = origins(document)
    facts["data_sha256"] = victim.data
    return Record(
        KIND,
        document,
        rows,
        {"accuracy": accuracy.document(), "rejected": dict(sorted(rejected.items()))},
        {"accuracy": victim.majority},
        bounds_of(server),
        facts,
    )


def bounds_of(server: Server) -> FederatedBounds:
    """What theory guarantees of a federation, and whom."""
    plan = server.plan
    f = plan.federation
    central = plan.unit == "participant"
    releases = [f.rounds if central else asked for asked in server.asked]
    spent = [plan.epsilon(n) for n in releases]
    most = max(releases)
    return FederatedBounds(
        delta=f.delta,
        steps=most,
        sample_rate=plan.sample_rate,
        assumes=UNITS[plan.unit],
        holds=True,
        noise_multiplier=getattr(plan.defense, "noise_multiplier", None),
        effective_noise=plan.defense.effective_noise(),
        epsilon={name: _told(plan.epsilon(most, name)) for name in ("rdp", "prv")},
        ledger=[(plan.defense.effective_noise(), plan.sample_rate, most)],
        unit=plan.unit,
        participants=[
            OneParticipant(
                participant=i,
                uploads=server.asked[i],
                rejected=dict(sorted(server.rejected[i].items())),
                epsilon=_told(epsilon),
            )
            for i, epsilon in enumerate(spent)
        ],
        per_parameter=f.per_parameter,
        per_upload=_told(plan.epsilon(1)),
        added_up=_told(sum(spent)),
    )


def _largest(server: Server, round: int) -> float:
    central = server.plan.unit == "participant"
    return server.plan.epsilon(round if central else max(server.asked))


def _mean(ages: Counter[int]) -> float:
    return sum(age * n for age, n in ages.items()) / max(1, ages.total())


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
