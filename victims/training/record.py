"""Makes the Record of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.commands.origins import origins
from reports.estimates import Estimate
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import KIND, Bounds, Row
from victims.training.ledger import UNTOLD
from victims.training.prepare import Prepared

UNSEEN = ", starting weights that saw none of the private images"
"""What is assumed besides where starting weights say of no training."""


def record_of(run: Prepared, rows: Sequence[Row], device: str, command: str) -> Record:
    """The Record of a run that has come to its end.

    Args:
        run: the run.
        rows: a row per epoch, from `victims.training.run.run`.
        device: where it was run.
        command: the command that runs it again.
    """
    plan = run.trainer.plan
    last = rows[-1]
    spent = {a: plan.epsilon(plan.steps, a) for a in ("rdp", "prv")}
    bounds = Bounds(
        noise_multiplier=getattr(plan.defense, "noise_multiplier", None),
        effective_noise=plan.defense.effective_noise(),
        epsilon={a: e if math.isfinite(e) else None for a, e in spent.items()},
        ledger=plan.ledger(plan.steps),
        **plan.bounds(),
    )
    bounds["assumes"] += UNSEEN if UNTOLD in run.past.remarks else ""
    accuracy = Estimate(last["accuracy"], last["low"], last["high"], n=len(run.test[1]))
    facts = environment(seed=plan.training.seed, device=device)
    facts["command"] = command
    facts["origins"] = origins(plan.training.document())
    return Record(
        KIND,
        plan.training.document(),
        rows,
        {"accuracy": accuracy.document()},
        {"accuracy": run.majority},
        bounds,
        facts,
    )
