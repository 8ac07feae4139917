"""The positive control: the same federation, with nothing between uploads and their server."""

from __future__ import annotations

import dataclasses
import math

from torch import Tensor

from attacks.membership.shadows.candidates import Candidates
from attacks.membership.updates.observe import observe
from attacks.membership.updates.scenario import Scenario
from attacks.membership.updates.scores import add_up
from reports import detection
from reports.commands.progress import Report
from reports.estimates.intervals import simultaneous_level
from reports.records import Record
from reports.records.membership import CONTROL
from victims.federated.scenario import Federation
from victims.federated.server import Server
from victims.federated.victim import Victim, load_victim


def is_defended(scenario: Scenario) -> bool:
    """Whether anything stands between what participants compute and what the server sees."""
    return scenario.federation.defense != "none" or scenario.secure_aggregation


def undefended_twin(federation: Federation, *, sums: bool = False) -> Federation:
    """The same federation without a defense: whole uploads without noise, the same seed.

    Args:
        federation: the defended one.
        sums: whether its server sees sums, and so rejects nobody for a norm: nor does the twin's,
            to which every upload is shown by itself.
    """
    return dataclasses.replace(
        federation,
        defense="none",
        defense_options={},
        where="participant",
        per_parameter=None,
        epsilon=None,
        norm_limit=math.inf if sums else federation.norm_limit,
    )


def twin_scores(
    victim: Victim,
    candidates: Candidates,
    data_root: str | None,
    report: Report,
    *,
    sums: bool,
) -> dict[str, Tensor]:
    """Attack -> (N,) scores of the same candidates by every single upload of the undefended twin.

    Its server asks the same participants round after round.

    Args:
        victim: the defended federation.
        candidates: who may be a member.
        data_root: see `victims.load_data`.
        report: told of the twin's rounds.
        sums: see `undefended_twin`.
    """
    twin = load_victim(undefended_twin(victim.plan.federation, sums=sums), data_root)
    server = Server(twin.plan, twin.start, victim.draw)
    seen = observe(twin, server, candidates, report)
    return add_up(seen.mine, seen.rest)


def with_control(made: Record, scores: dict[str, Tensor], members: Tensor, beside: bool) -> Record:
    """A federation's Record with what its uploads give away where nothing defends them.

    Args:
        made: without a control.
        scores: attack -> (N,), higher = more likely a member.
        members: (N,) bool, the truth.
        beside: whether they are those of a twin that was played beside a defended federation.
    """
    level = simultaneous_level(len(scores))
    control = {
        "beside": beside,
        "auc": {
            name: detection.auc(detection.sample(values, members), level).document()
            for name, values in scores.items()
        },
    }
    kept = {f"{CONTROL}{k}": v.double() for k, v in scores.items()} if beside else {}
    summary, arrays = {**made.summary, "control": control}, {**made.arrays, **kept}
    return dataclasses.replace(made, summary=summary, arrays=arrays)
