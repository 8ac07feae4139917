"""``python -m victims.transfer.table``: accuracies of private heads by method and epsilon."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from defenses import BadInput
from reports.charts.accuracy_by_epsilon import accuracy_chart
from reports.charts.render import save
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.estimates import NOTHING, Estimate
from reports.panels.trained import Trained, pool_runs
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.records.training import TrainingRecord

PROG = "python -m victims.transfer.table"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of Records")
    parser.add_argument(
        "--figure",
        type=Path,
        help="PNG of accuracy, and of how often somebody is named where attacks.invert.heads ran",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of all heads in or below the folders. Returns the exit code."""
    arguments = parse(argv)
    heads = pool_runs(heads_in(arguments.folders))
    print(table(heads))
    if arguments.figure is not None:
        if len(places := {place_of(head) for head in heads}) > 1:
            raise BadInput(f"a figure is of one data and backbone; here are {len(places)}")
        found = sort_out(gather(arguments.folders)).inversions
        named = [one for one in found if "method" in one.source.record.scenario]
        save(accuracy_chart(heads, named), arguments.figure)
    return 0


def place_of(head: Trained) -> tuple[str, str]:
    """The data and the backbone of a head."""
    facts = head.runs[0].facts
    return str(facts["data"]), str(facts["model"])


def heads_in(folders: Sequence[Path]) -> list[TrainingRecord]:
    """Records of heads in or below the folders.

    Raises:
        BadInput: there is none.
    """
    found = sort_out(gather(folders))
    heads = [run for run in found.trainings if "method" in run.source.record.scenario]
    if not heads:
        raise BadInput("there is no Record of a head in or below these folders")
    return heads


def table(heads: Sequence[Trained]) -> str:
    """Markdown: a row per data, backbone, method and options, a column per epsilon.

    A cell is the accuracy in percent with its 95% interval over seeds and tests. The control is
    the same method without noise, of the first seed, with the interval over the tests.
    """
    columns = sorted({_epsilon(head) for head in heads})
    titles = ["no noise" if math.isinf(e) else f"epsilon {e:.3g}" for e in columns]
    lines = [
        "| "
        + " | ".join(["data, backbone", "method", *titles, "control", "guess", "seeds"])
        + " |",
        "|---" * (len(columns) + 5) + "|",
    ]
    rows: dict[tuple[str, str], dict[float, Trained]] = {}
    for head in heads:
        facts = head.runs[0].facts
        options = "".join(f", {k} {v}" for k, v in facts["defense_options"].items())
        row = f"{facts['data']}, {facts['model']}", f"{facts['defense']}{options}"
        rows.setdefault(row, {})[_epsilon(head)] = head
    for (place, method), cells in sorted(rows.items()):
        runs = [run for head in cells.values() for run in head.runs]
        known = (run.source.record.summary.get("without_noise") for run in runs)
        control = next((Estimate.read(value) for value in known if value), NOTHING)
        shown = [_percent(cells[e].accuracy) if e in cells else "-" for e in columns]
        seeds = str(max(len(head.runs) for head in cells.values()))
        ends = [_percent(control), f"{100 * runs[0].guess:.1f}", seeds]
        lines.append(_line([place, method, *shown, *ends]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _epsilon(head: Trained) -> float:
    """As it was spent, to the three digits that are shown."""
    spent = head.runs[0].epsilon
    return spent if math.isinf(spent) else float(f"{spent:.3g}")


def _percent(accuracy: Estimate) -> str:
    return accuracy.times(100).show(1)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
