"""What a white-box audit makes of each bug, in a training of some seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from attacks.audit.scenario import Scenario
from attacks.audit.study import study
from attacks.audit.verdicts import REFUTED
from defenses import Defense
from tests.zoo.specimen import Specimen
from victims.training import Training
from victims.training.trainer import Trainer

CANARIES = 600
COUNT = 20
WHOLE = {"rate": 1.0, "epochs": 4, "noise": 2.0}
"""Full batches: the scores are Gaussian, and the auditor nearly tight. Claims epsilon 4.39."""
SAMPLED = {"rate": 0.25, "epochs": 6, "noise": 2.0}
"""Where sampling is the matter. 24 steps."""


@dataclass(frozen=True)
class Outcome:
    """Some audits of one training.

    Attributes:
        claimed: epsilon.
        audited: its lower bounds, one per run.
        refuted: in how many runs the claim was.
        seconds: of CPU time, a run takes.
    """

    claimed: float
    audited: list[float]
    refuted: int
    seconds: float


def scenario(bug: Specimen | None = None, seed: int = 0, **changed: Any) -> Scenario:
    """The audit of a bug, or of DP-SGD without any, in its setting."""
    sampled = bug is not None and bug.check in ("sampling", "memory", "releases", "sizes")
    setting = SAMPLED if sampled else WHOLE
    planned = COUNT + CANARIES // 2
    known: dict[str, Any] = {
        "data": "digits",
        "count": COUNT,
        "model": "linear",
        "defense": "dpsgd",
        "defense_options": {"clip": 0.5, "noise_multiplier": setting["noise"]},
        "batch_size": round(setting["rate"] * planned),
        "epochs": int(setting["epochs"]),
        "lr": 0.1,
    }
    if bug is not None:
        known |= bug.changed
        if issubclass(bug.kind, Defense):
            known["defense"] = f"{bug.kind.__module__}:{bug.kind.__qualname__}"
        if bug.net is not None:
            known["model"] = f"{bug.net.__module__}:{bug.net.__qualname__}"
    known |= changed
    # Long enough to drown what a defense adds before it clips.
    return Scenario(Training(**known), canaries=CANARIES, length=1000.0, seed=seed)


def audited(bug: Specimen | None = None, runs: int = 5, **changed: Any) -> Outcome:
    """Independent audits at 95% confidence each, with the Gaussian-DP auditor."""
    kind = bug.kind if bug is not None and issubclass(bug.kind, Trainer) else Trainer
    rows, seconds = [], []
    for seed in range(runs):
        asked = scenario(bug, seed, **changed)
        before = time.process_time()
        rows.append(study(asked, trainer=kind).rows[0])
        seconds.append(time.process_time() - before)
    return Outcome(
        rows[0]["claimed"],
        [float(r["audited"]) for r in rows],
        sum(r["verdict"] == REFUTED for r in rows),
        min(seconds),
    )
