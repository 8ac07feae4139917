"""Plays a federation and scores the candidates by what its server sees, round after round."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from attacks.membership.shadows.candidates import Candidates
from attacks.membership.updates.scores import of_upload
from attacks.membership.updates.watch import Seen, Watching, mean_of
from defenses import BadInput
from reports.commands.progress import Report
from victims.federated.serve import Course
from victims.federated.server import Server
from victims.federated.victim import Victim

TARGET = 0
"""The participant whose members are sought."""


@dataclass(frozen=True)
class Observed:
    """What a server saw of one federation.

    Attributes:
        mine: (2, N) of each upload of the target, or of each sum that has one of its in it.
        rest: (2, N) of each other upload or sum.
        server: after the last round.
    """

    mine: list[Tensor]
    rest: list[Tensor]
    server: Server


def observe(victim: Victim, server: Server, candidates: Candidates, report: Report) -> Observed:
    """Play a federation whose target has the members among the candidates.

    Args:
        victim: the federation.
        server: its server, before the first round. One of sums sees the mean of a round's uploads
            alone; it knows whom it asked, and so whether the target's upload is in the mean.
        candidates: who may be a member.
        report: told of the rounds.

    Raises:
        BadInput: the target was in no round, or in no sum.
    """
    f, pool = victim.plan.federation, candidates.pool
    everybody = [victim.participant(i) for i in range(f.participants)]
    own = pool.take(candidates.members[0].nonzero()[:, 0])
    target = dataclasses.replace(everybody[TARGET], images=own.images, labels=own.labels)
    everybody[TARGET] = target
    course = Course(server)
    held: list[Seen] = []
    mine: list[Tensor] = []
    rest: list[Tensor] = []

    def score(seen: Seen, into: list[Tensor]) -> None:
        into.append(of_upload(victim.model, seen, pool.images, pool.labels))

    def look(seen: Seen) -> None:
        if server.sums:
            held.append(seen)
        else:
            score(seen, mine if seen.participant == TARGET else rest)

    before = rejections(course.server)
    for done in course.rounds(Watching(everybody, course, look)):
        report(f"round {done}", done, f.rounds)
        now = rejections(course.server)
        summed = [s for s in held if now[s.participant] == before[s.participant]]
        if summed:
            inside = any(s.participant == TARGET for s in summed)
            score(mean_of(summed), mine if inside else rest)
        held.clear()
        before = now
    if not mine:
        asked = course.server.asked[TARGET]
        why = (
            f"all {asked} uploads of the target were rejected"
            if asked
            else (f"the target was in none of {f.rounds} rounds")
        )
        raise BadInput(f"{why}: raise --share or --rounds, or change --seed")
    return Observed(mine, rest, course.server)


def rejections(server: Server) -> list[int]:
    """Of each participant, how many of its uploads were not taken so far."""
    return [counts.total() for counts in server.rejected]
