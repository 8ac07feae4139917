"""What a training run tells its user: settings, a row per epoch, weights and a Record."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from defenses.registry import shown_options
from reports import records
from reports.commands.origins import origins
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import KIND
from victims.training.ledger import UNTOLD
from victims.training.prepare import Prepared
from victims.training.weights import write_weights

ASSUMED = "Poisson sampling, add/remove adjacency"
UNSEEN = ", starting weights that saw none of the private images"
NO_GUARANTEE = "?, had all batches been Poisson samples, which they were not: no guarantee"
COLUMNS = "{:>5} {:>7} {:>24} {:>9} {:>6} {:>11}"


def describe(prepared: Prepared) -> None:
    """Say what is about to be run and what its numbers assume."""
    plan = prepared.trainer.plan
    t = plan.training
    options = shown_options(plan.defense)
    shown = ", ".join(
        f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items()
    )
    print(f"{t.defense}{': ' + shown if shown else ''}")
    print(
        f"{plan.examples} private examples, sample rate {plan.sample_rate:.4g}, "
        f"{plan.steps} steps; epsilon at delta {t.delta:g}, accountant {t.accountant}"
    )
    if plan.cut:
        print(
            f"warning: the budget of epsilon {t.epsilon:g} ends this run after {plan.steps} steps"
        )
    for remark in prepared.trainer.past.remarks:
        print(remark)
    if t.secure:
        print(
            "secure: noise and batches come from the operating system; they cannot be drawn again"
        )
    if t.sampling != "poisson" and math.isfinite(plan.epsilon(1)):
        print(
            "warning: batches are shuffled, and epsilon is the accountant's for Poisson sampling: "
            "not a guarantee of this run"
        )
    heads = ("epoch", "step", "accuracy, 95% interval", "epsilon", "rate", "sent")
    print("\n" + COLUMNS.format(*heads))


def show(row: dict[str, Any]) -> dict[str, Any]:
    """Print one epoch's row without breaking the progress bar; returns it."""
    epsilon = "inf" if row["epsilon"] is None else f"{row['epsilon']:.4g}"
    epsilon += "" if row["holds"] or row["epsilon"] is None else "?"
    rate = "-" if row["rate"] is None else f"{row['rate']:.3f}"
    accuracy = f"{row['accuracy']:.2%} [{row['low']:.2%}, {row['high']:.2%}]"
    sent = f"{row['wire_bytes'] / 2**20:.1f} MiB"
    tqdm.write(COLUMNS.format(row["epoch"], row["step"], accuracy, epsilon, rate, sent))
    sys.stdout.flush()
    return row


def finish(
    prepared: Prepared, rows: list[dict[str, Any]], out: Path, device: str, command: str
) -> list[Path]:
    """Write weights and Record, which comes last; print what was spent. Returns the paths."""
    weights = write_weights(prepared.trainer, out / "weights.safetensors")
    record = record_of(prepared, rows, device, command)
    print(f"\nalways naming the most frequent class: {prepared.majority:.2%}")
    for name, value in record.bounds["epsilon"].items():
        told = "inf" if value is None else f"{value:.4g}"
        doubt = "" if record.bounds["holds"] or value is None else NO_GUARANTEE
        print(f"epsilon ({name}): {told}{doubt}")
    return [weights, records.write(record, out)]


def record_of(prepared: Prepared, rows: list[dict[str, Any]], device: str, command: str) -> Record:
    """The Record of a run that has come to its end.

    Args:
        prepared: what was run.
        rows: one per epoch, from `victims.training.run.run`.
        device: where it was run.
        command: that runs it again.
    """
    plan = prepared.trainer.plan
    last = rows[-1]
    spent = {a: plan.epsilon(plan.steps, a) for a in ("rdp", "prv")}
    bounds = {
        "noise_multiplier": getattr(plan.defense, "noise_multiplier", None),
        "effective_noise": plan.defense.effective_noise(),
        "sample_rate": plan.sample_rate,
        "steps": plan.steps,
        "delta": plan.training.delta,
        "epsilon": {a: e if math.isfinite(e) else None for a, e in spent.items()},
        "assumes": ASSUMED + (UNSEEN if UNTOLD in prepared.trainer.past.remarks else ""),
        "holds": plan.holds,
        "ledger": plan.ledger(plan.steps),
    }
    accuracy = {"mean": last["accuracy"], "low": last["low"], "high": last["high"]}
    accuracy["n"] = len(prepared.test[1])
    facts = environment(seed=plan.training.seed, device=device)
    facts["command"] = command
    facts["origins"] = origins(plan.training.document())
    return Record(
        KIND,
        plan.training.document(),
        rows,
        {"accuracy": accuracy},
        {"accuracy": prepared.majority},
        bounds,
        facts,
    )
