"""Prints a federation for its user: what it does, a row per round, and what it spends."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from defenses.options import shown_options
from reports.estimates.counts import count_of
from reports.records import Record
from reports.records.training import Round
from victims.federated.plan import UNITS, Plan

COLUMNS = "{:>5} {:>8} {:>24} {:>11} {:>11} {:>9} {:>9} {:>9}"
HEADS = ("round", "uploads", "accuracy, 95% interval", "received", "sent", "staleness", "rejected")
VAST = 1000.0
"""An epsilon from which on nobody is protected: odds may change by a factor of e to this power."""


def describe(plan: Plan) -> str:
    """What is about to be run, and what its numbers assume, in lines."""
    f = plan.federation
    options = ", ".join(f"{k} {_short(v)}" for k, v in shown_options(plan.defense).items())
    course = f.order if f.rule == "dssgd" else f"share {f.share:g} of them a round"
    if f.order == "asynchronous":
        course += f" with staleness {f.staleness}"
    if f.theta_d < 1:
        course += f", theta_d {f.theta_d:g}"
    lines = [
        f"{f.rule} among {f.participants} participants of "
        f"{count_of(plan.examples, 'example')}, {course}; "
        f"{plan.parameters} parameters, {count_of(f.rounds, 'round')}",
        f"{f.defense} at the {f.where}" + (f": {options}" if options else ""),
        budget(plan),
    ]
    heads = COLUMNS.format(*HEADS, "epsilon")
    return "\n".join(lines) + f"\n\n{heads}"


def budget(plan: Plan) -> str:
    """What the federation will spend of one whom it protects, in a line."""
    f = plan.federation
    whole, once = plan.epsilon(f.rounds), plan.epsilon(1)
    if whole == float("inf"):
        return "epsilon inf: nothing is guaranteed to anybody"
    if plan.sparse is not None:
        return (
            f"epsilon {f.per_parameter:g} per uploaded parameter, {once:.6g} per participant and "
            f"epoch ({count_of(plan.sparse.count, 'parameter')}), "
            f"{whole:.6g} per participant in total: "
            f"{_judged(whole)}; {UNITS[plan.unit]}"
        )
    return (
        f"epsilon {once:.4g} of a round, {whole:.4g} in total at delta {f.delta:g}: "
        f"{_judged(whole)}{UNITS[plan.unit]}"
    )


def _judged(epsilon: float) -> str:
    """That an epsilon promises nothing, where that is so."""
    return "nobody is protected by so much" if epsilon >= VAST else ""


def show(row: Round) -> None:
    """Print one round's row without breaking the progress bar."""
    epsilon = "inf" if row["epsilon"] is None else f"{row['epsilon']:.4g}"
    accuracy = f"{row['accuracy']:.2%} [{row['low']:.2%}, {row['high']:.2%}]"
    sizes = (f"{row[k] / 2**20:.1f} MiB" for k in ("wire_bytes", "sent_bytes"))  # type: ignore[literal-required]
    staleness = f"{row['staleness']:.1f}"
    tqdm.write(
        COLUMNS.format(
            row["epoch"], row["step"], accuracy, *sizes, staleness, row["rejected"], epsilon
        )
    )
    sys.stdout.flush()


def spent(record: Record) -> str:
    """Guessing beside the accuracy, what was rejected, and each one's account, in lines."""
    bounds = record.bounds
    lines = [
        f"always naming the most frequent class: {record.baseline['accuracy']:.2%}",
        f"uploads rejected: {_counts(record.summary['rejected'])}",
    ]
    for one in bounds["participants"]:
        if one["rejected"]:
            lines.append(f"  of participant {one['participant']}: {_counts(one['rejected'])}")
    each = [one["epsilon"] for one in bounds["participants"]]
    if None in each:
        return "\n".join([*lines, "epsilon inf: nothing is guaranteed to anybody"])
    word = "step" if bounds["unit"] == "participant" else "upload"
    lines.append(
        f"epsilon {bounds['per_upload']:.6g} a {word}; per participant {min(each):.6g} to "
        f"{max(each):.6g}, which is what protects each of them: {bounds['assumes']}"
    )
    lines.append(
        f"added up over participants {bounds['added_up']:.6g}, which says nothing of anybody, for "
        "their data are apart"
    )
    return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in counts.items()) or "none"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
