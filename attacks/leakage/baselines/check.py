"""A result held to its baseline: what grew, and what a failing test says of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from attacks import audit, invert, membership
from attacks.leakage.baselines.growth import Growth, compare
from attacks.leakage.baselines.store import Baseline, NoBaseline, changes, read
from attacks.leakage.results.result import APART, Result, shorten
from reports.estimates import Estimate

UPDATE = "pytest --leakage-update"
HINT = f"to store what this run measured: {UPDATE}"
DEFAULTS: dict[str, Any] = {
    "inversion": invert.Scenario,
    "membership": membership.Scenario,
    "audit": audit.Scenario,
}
ROUNDED = 1e-3
"""An accountant's next version may tell an epsilon that is larger by this share."""


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        AssertionError: it is not there, or cannot be used; it says how to make one.
    """
    __tracebackhide__ = True
    try:
        return read(path)
    except NoBaseline as error:
        raise AssertionError(f"{error}\n{HINT}") from None


def growths(before: Baseline, result: Result) -> list[Growth]:
    """How every leak changed, the claimed epsilon among them.

    Raises:
        AssertionError: the baseline is of another kind, of other settings, or of other images.
    """
    __tracebackhide__ = True
    after = Baseline.of(result)
    # A baseline that is older than a setting was measured at the setting's default.
    known = {**DEFAULTS[result.kind]().document(), **before.settings}
    either = before.settings.keys() | after.settings.keys()
    known = {k: v for k, v in known.items() if k in either and k not in APART}
    if "budget" in known:  # seconds decide nothing but where they cut, and the result says so
        known["budget"] = after.settings.get("budget")
    told = changes(known, after.settings)
    if before.kind != after.kind:
        told = f"{before.kind:.40} -> {after.kind}"
    if told:
        raise AssertionError(f"the baseline is of other settings: {told:.400}\n{HINT}")
    try:
        found = compare(before.units, after.units)
    except ValueError as error:
        raise AssertionError(f"the baseline cannot be compared: {error}\n{HINT}") from None
    old, new = before.epsilon, after.epsilon
    larger = new > old * (1 + ROUNDED)
    promised = Growth(
        leak="claimed epsilon",
        before=old,
        after=new,
        difference=Estimate(new - old),
        p=math.nan,
        grew=larger,
    )
    return [*found, promised]


def message(found: list[Growth], path: Path, before: Baseline, result: Result) -> str:
    """By how much it leaks more, what else changed, where the figure is, what to do."""
    after = Baseline.of(result)
    lines = [f"{result.subject.label} leaks more than the baseline {shorten(path)}"]
    lines += [f"{'GREW' if growth.grew else 'did not grow'}  {growth}" for growth in found]
    if told := changes(before.options, after.options):
        lines.append(f"its options changed: {told}")
    if told := changes(before.versions, after.versions):
        lines.append(f"so did what attacks it: {told}")
    return "\n".join([*lines, result.headline(), *result.context(), f"if this is meant: {UPDATE}"])
