"""Prints a private head for its user: what it reaches, beside what, and what it spends."""

from __future__ import annotations

from reports.estimates import Estimate
from reports.estimates.counts import count_of
from reports.records import Record
from victims.transfer.prepare import Prepared

LARGE = 5000
"""Features from which on their square is worth a warning."""


def describe(prepared: Prepared) -> str:
    """What is about to be fitted, what its numbers assume and what it takes, in lines."""
    plan, dim = prepared.plan, prepared.problem.dim
    t = plan.transfer
    given = ", ".join(f"{name} {value}" for name, value in vars(plan.method).items())
    lines = [f"{t.method} on {t.backbone}" + (f": {given}" if given else "")]
    rate = "" if plan.sample_rate == 1 else f", sample rate {plan.sample_rate:.4g}"
    if t.secure:
        lines.append("secure: noise and batches come from the operating system, once")
    lines.append(
        f"{count_of(plan.examples, 'private example')}, "
        f"{count_of(plan.releases, 'release')}{rate}, "
        f"noise {plan.noise:.4g} times their sensitivity"
    )
    if plan.method.squares and dim >= LARGE:
        lines.append(
            f"{dim} features: {4 * 8 * dim**2 / 2**30:.1f} GiB of square matrices, and time that "
            "grows with the cube of their number; a backbone of fewer features takes less"
        )
    return "\n".join(lines)


def table(record: Record) -> str:
    """Accuracy beside guessing and the head without noise, and the guarantee, in lines."""
    found = {name: Estimate.read(value).percent(2) for name, value in record.summary.items()}
    lines = [f"accuracy                              {found['accuracy']}"]
    if "without_noise" in found:
        lines.append(
            f"the same method without noise         {found['without_noise']} (not private)"
        )
    lines += [
        f"always naming the most frequent class {record.baseline['accuracy']:.2%}",
        guarantee(record),
    ]
    return "\n".join(lines)


def guarantee(record: Record) -> str:
    """What the head promises, in a sentence."""
    bounds = record.bounds
    spent = bounds["epsilon"]["prv"]
    if spent is None:
        return "epsilon inf: there is no noise, and nothing is guaranteed"
    text = f"epsilon {spent:.4g} at delta {bounds['delta']:g}"
    if bounds["mu"] is not None:
        text += f" (mu {bounds['mu']:.4g}; by the zCDP conversion {bounds['zcdp']:.4g})"
    return (
        f"{text}: {bounds['assumes']}; hyper-parameters that were tuned on private data cost more"
    )
