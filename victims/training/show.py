"""Prints a training run for its user: its settings, a row per epoch, and what was spent."""

from __future__ import annotations

import math
import sys

from tqdm import tqdm

from defenses.options import shown_options
from reports.estimates.counts import count_of
from reports.records import Record
from reports.records.training import Row
from victims.training.prepare import Prepared

NO_GUARANTEE = "?, had all batches been Poisson samples, which they were not: no guarantee"
COLUMNS = "{:>5} {:>7} {:>24} {:>9} {:>6} {:>11}"


def describe(run: Prepared) -> None:
    """Print what is about to be run, and what its numbers assume."""
    plan = run.trainer.plan
    t = plan.training
    options = shown_options(plan.defense)
    shown = ", ".join(
        f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items()
    )
    print(f"{t.defense}{': ' + shown if shown else ''}")
    print(
        f"{count_of(plan.examples, 'private example')}, sample rate {plan.sample_rate:.4g}, "
        f"{count_of(plan.steps, 'step')}; epsilon at delta {t.delta:g}, accountant {t.accountant}"
    )
    if plan.cut:
        print(
            f"warning: the budget of epsilon {t.epsilon:g} ends this run after "
            f"{count_of(plan.steps, 'step')}"
        )
    for remark in run.past.remarks:
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


def show(row: Row) -> None:
    """Print one epoch's row without breaking the progress bar."""
    epsilon = "inf" if row["epsilon"] is None else f"{row['epsilon']:.4g}"
    epsilon += "" if row["holds"] or row["epsilon"] is None else "?"
    rate = "-" if row["rate"] is None else f"{row['rate']:.3f}"
    accuracy = f"{row['accuracy']:.2%} [{row['low']:.2%}, {row['high']:.2%}]"
    sent = f"{row['wire_bytes'] / 2**20:.1f} MiB"
    tqdm.write(COLUMNS.format(row["epoch"], row["step"], accuracy, epsilon, rate, sent))
    sys.stdout.flush()


def show_spent(record: Record) -> None:
    """Print the accuracy of guessing and the epsilon that the whole run has spent."""
    print(f"\nalways naming the most frequent class: {record.baseline['accuracy']:.2%}")
    for accountant, value in record.bounds["epsilon"].items():
        epsilon = "inf" if value is None else f"{value:.4g}"
        doubt = "" if record.bounds["holds"] or value is None else NO_GUARANTEE
        print(f"epsilon ({accountant}): {epsilon}{doubt}")
