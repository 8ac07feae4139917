"""A scheduled defense is attacked at several rounds of a run, and the worst counts.

What a run releases at its first step, in its middle and at its last may differ by much; whoever
sees the whole run attacks the round that gives most away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from defenses import BadInput, Defense
from defenses.options import shown_options
from reports.records import Record
from reports.records.column import ADAPTIVE, NAIVE, Column
from reports.records.inversion import prior_rows, psnr_of, rows_of
from reports.records.rounds import Round, other, part_column, severity

STEPS = 1000
"""Steps of the nominal run, of one epoch each: schedules go by the share of the run that is done,
or they would not be one for runs of another length."""


@dataclass(frozen=True)
class Schedule:
    """A defense by the rounds at which it is attacked.

    Attributes:
        defense: as configured.
        fixed: step -> the defense as it is at that step, for good; empty without a schedule.
        unseen: steps at which the defense cannot be had without the run's memory.
        drifts: whether only the releases tell the schedule, see `drift.with_drift`.
    """

    defense: Defense
    fixed: Mapping[int, Defense]
    unseen: tuple[int, ...]
    drifts: bool = False

    def labels(self, name: str) -> dict[str, Defense]:
        """What to attack by name: each round (`reports.records.rounds.other`), or the defense."""
        if not self.fixed:
            return {name: self.defense}
        return {other(name, step): defense for step, defense in self.fixed.items()}

    def round_at(self, step: int) -> Round:
        """The round that counts, for the Record."""
        before = shown_options(self.defense)
        after = shown_options(self.fixed.get(step, self.defense))
        changed = {k: v for k, v in after.items() if v != before.get(k)}
        options = {k: v for k, v in changed.items() if isinstance(v, int | float | str)}
        return Round(step, STEPS, options, tuple(self.fixed) or (step,), self.unseen)


def schedule(defense: Defense, count: int) -> Schedule:
    """The rounds of a nominal run at which a defense differs, of ``count`` from first to last.

    Any defense whose `Defense.at` is not the same at all of these steps has a schedule; equal
    rounds are attacked once.

    Args:
        defense: registered or a user's own, chains included.
        count: rounds to look at, evenly over the run, >= 2; 0: the round is given, there are none.
    """
    if not count:
        return Schedule(defense, {}, ())
    fixed: dict[int, Defense] = {}
    unseen = []
    for step in moments_of(count):
        try:
            fixed_there = defense.at(step, STEPS)
        except BadInput:  # it depends on what only its own run remembers
            unseen.append(step)
            continue
        if not any(_same(fixed_there, known) for known in fixed.values()):
            fixed[step] = fixed_there
    if len(fixed) == 1 and _same(next(iter(fixed.values())), defense.at(0, 1)):
        fixed = {}
    return Schedule(defense, fixed, tuple(unseen))


def moments_of(count: int) -> list[int]:
    """So many steps of the nominal run, evenly from the first to the last; ``count`` >= 2."""
    return sorted({round((STEPS - 1) * i / (count - 1)) for i in range(count)})


def keep_worst(record: Record, schedules: Mapping[str, Schedule]) -> Record:
    """The Record with each schedule's worst round under the defense's own name.

    Worst is the round with the highest mean PSNR above guessing of the attacker who knows the
    defense (of the other one where that was not run); where no round is above it by
    `reports.evidence.control.MARGIN`, the one that names the private image most often. Its
    attackers are both of that round. A maximum taken after looking errs on the adversary's side.

    Args:
        record: of all rounds, by their own names.
        schedules: defense -> its rounds.
    """
    names: dict[str, str] = {}
    bounds = dict(record.bounds)
    for name, found in schedules.items():
        if not found.fixed and not found.unseen:
            continue
        steps = tuple(found.fixed)
        step = max(steps, key=lambda s: _severity(record, other(name, s))) if steps else 0
        told = found.round_at(step).document()
        if steps:
            worst = bounds.pop(other(name, step))
            names[other(name, step)] = name
            bounds[name] = {**worst, "options": {**worst["options"], **_options(found.defense)}}
        bounds[name] = {**bounds[name], "round": told}
    return dataclasses.replace(
        record,
        rows=[_row(row, names, schedules) for row in record.rows],
        summary=_sort(_rename(record.summary, names), lambda key: Column.of(key).defense),
        bounds=_sort(bounds, str),
        arrays=_rename(record.arrays, names),
    )


def _severity(record: Record, name: str) -> tuple[float, float, float]:
    """Sorts rounds; the highest is the worst for privacy."""
    columns = rows_of(record)
    own = columns.get(Column(name, ADAPTIVE)) or columns[Column(name, NAIVE)]
    guesses = {row["image"]: psnr_of(row) for row in prior_rows(record)}
    gains = [psnr_of(row) - guesses[row["image"]] for row in own]
    return severity(gains, [rank for row in own if (rank := row.get("rank")) is not None])


def _row(
    row: Mapping[str, Any], names: Mapping[str, str], schedules: Mapping[str, Schedule]
) -> Mapping[str, Any]:
    """The row under the name that counts, with its round and the drop rate of that."""
    label = row["defense"]
    name, step = part_column(label)
    fixed = schedules[name].fixed if name in schedules else {}
    if step is None or step not in fixed:
        return row
    place = {"round": step, "rate": getattr(fixed[step], "rate", None)}
    return {**row, "defense": names.get(label, label), **place}


def _rename(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What is stored by column, and what is not, under the names that count."""
    found = {}
    for key, value in values.items():
        defense, attacker = Column.of(key)
        found[Column(names[defense], attacker).key if defense in names else key] = value
    return found


def _sort(values: Mapping[str, Any], defense_of: Callable[[str], str]) -> dict[str, Any]:
    """What is stored by keys that are of a defense each; of each defense what counts first."""
    parts = {key: part_column(defense_of(key)) for key in values}
    turns = list(dict.fromkeys(name for name, _ in parts.values()))
    order = sorted(parts, key=lambda k: (turns.index(parts[k][0]), parts[k][1] is not None))
    return {key: values[key] for key in order}


def _options(defense: Defense) -> dict[str, Any]:
    told = shown_options(defense)
    return {k: v for k, v in told.items() if isinstance(v, int | float | str)}


def _same(one: Defense, two: Defense) -> bool:
    """Whether two defenses are the same; not, where they cannot be compared."""
    try:
        return one is two or bool(one == two)
    except (RuntimeError, ValueError, TypeError):  # tensors have no one truth
        return False
