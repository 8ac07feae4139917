"""A Record in one line, for whoever prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.estimates import Estimate
from reports.records.checks import clean
from reports.records.column import Column
from reports.records.rounds import part_column

LONGEST = 48
"""Characters of a name that are shown; a path keeps its end."""
MOST = 3
"""At most so many numbers are shown."""


def headline(
    kind: str, scenario: Mapping[str, Any], rows: Sequence[Any], summary: Mapping[str, Any]
) -> str:
    """``inversion of lenet on photos under dprs, 8 images: dprs/adaptive 24.1 [22.0, 26.2] dB``.

    Nothing is taken for granted: what is missing, or is no number, is left out.

    Args:
        kind: of the Record.
        scenario: the Record's Scenario.
        rows: what was measured, one by one.
        summary: the means over rows.
    """
    start = f"{_name(kind)} of {_name(scenario.get('model', scenario.get('backbone', '?')))}"
    for word, names in (("on", ("data",)), ("under", ("defense", "method"))):
        told = next((scenario[n] for n in names if n in scenario), None)
        start += f" {word} {_name(told)}" if told is not None else ""
    start += _size(kind, scenario, rows)
    if kind == "inversion" and len(summary) > MOST:  # what was asked about stands before its rivals
        asked = scenario.get("defense")
        summary = dict(sorted(summary.items(), key=lambda c: Column.of(c[0]).defense != asked))
    numbers = list(_numbers(kind, rows, summary))
    more = f" and {len(numbers) - MOST} more" if len(numbers) > MOST else ""
    return f"{start}: {'; '.join(numbers[:MOST])}{more}" if numbers else start


def _size(kind: str, scenario: Mapping[str, Any], rows: Sequence[Any]) -> str:
    things = {"inversion": "image", "observation": "guess", "membership": "candidate"}
    thing = things.get(kind, "row")
    number = scenario.get("images", len(rows)) if thing == "image" else len(rows)
    plural = "guesses" if thing == "guess" else f"{thing}s"
    return f", {number} {thing if number == 1 else plural}"


def _numbers(kind: str, rows: Sequence[Any], summary: Mapping[str, Any]) -> Iterator[str]:
    """What the Record came to, as far as it says."""
    if kind == "inversion":
        for column, scores in summary.items():
            found = _estimate(scores, "psnr")
            if found and part_column(Column.of(column).defense)[1] is None:
                yield f"{_name(column)} {found.show()} dB"
    elif kind == "membership":
        for attack in _mapping(summary.get("auc")):
            found = _estimate(summary["auc"], attack)
            if found:
                yield f"{_name(attack)} AUC {found.show(2)}"
    elif kind == "training":
        found = _estimate(summary, "accuracy")
        if found:
            yield f"accuracy {found.percent()}"
    elif kind == "audit":
        for row in map(_mapping, rows):
            if isinstance(row.get("audited"), int | float):
                claim = row.get("claimed")
                told = f"{claim:.4g}" if isinstance(claim, int | float) else "nothing"
                verdict = _name(row.get("verdict", ""))
                yield (
                    f"epsilon at least {row['audited']:.4g}, {told} claimed "
                    f"({_name(row.get('method', ''))}: {verdict})"
                )


def _estimate(scores: Any, name: str) -> Estimate | None:
    try:
        found = Estimate.read(_mapping(scores)[name])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.known else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(value: Any) -> str:
    """A name on one line, of a length that can be read."""
    text = " ".join(str(clean(str(value))).split())
    return text if len(text) <= LONGEST else "…" + text[1 - LONGEST :]
