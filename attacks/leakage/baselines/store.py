"""Baselines: what a defense leaked when somebody last looked, as JSON beside the test."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.leakage.numbers import show_estimate
from attacks.leakage.results.result import Result, Units, shorten
from defenses.errors import one_line
from reports.records import atomic
from reports.records.checks import clean, epsilon, mapping, number, text

FORMAT = 1
MOST_BYTES = 32 * 2**20
"""No baseline is larger; reading stops there."""
DIGITS = 6
VERSIONS = ("leakgauge", "torch")


class NoBaseline(ValueError):
    """A baseline that is not there, or cannot be used; the message is one line."""


@dataclass(frozen=True)
class Baseline:
    """What is stored of a `Result`.

    Attributes:
        kind: ``inversion``, ``membership`` or ``audit``.
        settings: see `Result.settings`; with the seed.
        options: of the defense.
        epsilon: claimed; infinite where nothing is.
        versions: of what made it.
        units: see `Result.units`, rounded.
    """

    kind: str
    settings: dict[str, Any]
    options: dict[str, Any]
    epsilon: float
    versions: dict[str, Any]
    units: dict[str, dict[str, float]]

    @classmethod
    def of(cls, result: Result) -> Baseline:
        """The baseline that a result would be."""
        known = result.records[0].environment["versions"]
        seeds = [r.scenario["seed"] for r in result.records]
        return cls(
            result.kind,
            {**result.settings, "seeds": seeds},
            json.loads(json.dumps(result.subject.options)),
            result.epsilon,
            {name: known[name] for name in VERSIONS},
            {name: _round(units) for name, units in result.units().items()},
        )


def write(result: Result, path: Path) -> None:
    """Store a result as the baseline; atomically."""
    made = Baseline.of(result)
    head = {
        "leakgauge baseline": FORMAT,
        "kind": made.kind,
        "defense": result.subject.name,
        "options": made.options,
        "claimed epsilon": made.epsilon if math.isfinite(made.epsilon) else None,
        "leaks": {leak.name: show_estimate(leak.estimate, leak.unit) for leak in result.leaks()},
        "settings": made.settings,
        "versions": made.versions,
    }
    rows = (f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in made.units.items())
    body = json.dumps(head, indent=1, allow_nan=False)[:-2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        scratch.write_text(body + ',\n "units": {\n' + ",\n".join(rows) + "\n }\n}\n", "utf-8")


def read(path: Path) -> Baseline:
    """The baseline in a file that anybody may have written.

    Raises:
        NoBaseline: it is not there, not readable, or not a baseline.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ValueError("it is too large")
        told = mapping(clean(json.loads(raw)), "it")
        if told.get("leakgauge baseline") != FORMAT:
            raise ValueError(f"it is no baseline of format {FORMAT}")
        return Baseline(
            text(told.get("kind"), "kind"),
            mapping(told.get("settings"), "settings"),
            mapping(told.get("options"), "options"),
            epsilon(told.get("claimed epsilon"), "claimed epsilon"),
            mapping(told.get("versions"), "versions"),
            {
                name: {k: number(v, f"units.{name}") for k, v in mapping(row, name).items()}
                for name, row in mapping(told.get("units"), "units").items()
            },
        )
    except FileNotFoundError as error:
        raise NoBaseline(f"there is no baseline {shorten(path)}") from error
    except OSError as error:
        raise NoBaseline(
            f"the baseline {shorten(path)} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:
        why = one_line(error)
        raise NoBaseline(f"{shorten(path)} cannot be used as a baseline: {why:.200}") from error


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """``rate 0.9 -> 0.5, clip 1.0 -> 2.0``; empty when nothing differs."""
    names = dict.fromkeys([*before, *after])
    return ", ".join(
        f"{n:.40} {json.dumps(before.get(n)):.40} -> {json.dumps(after.get(n)):.40}"
        for n in names
        if before.get(n) != after.get(n)
    )


def _round(units: Units) -> dict[str, float]:
    return {key: float(f"{value:.{DIGITS}g}") for key, value in units.items()}
