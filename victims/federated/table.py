"""``python -m victims.federated.table``: accuracies of federations by what they share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.panels.trained import Trained, pool_runs
from reports.records.find import gather
from reports.records.kinds import sort_out

PROG = "python -m victims.federated.table"
HEADS = ("model, lr, rounds", "course", "what is sent", "accuracy", "MiB sent", "rejected", "seeds")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of Records")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of all federations in or below the folders. Returns the exit code."""
    found = sort_out(gather(parse(argv).folders))
    runs = [run for run in found.trainings if "participants" in run.source.record.scenario]
    if not runs:
        raise BadInput("there is no Record of a federation in or below these folders")
    print(table(pool_runs(runs)))
    return 0


def table(federations: Sequence[Trained]) -> str:
    """Markdown: a row per federation, seeds pooled, with the 95% interval over seeds and tests.

    What is sent is of one participant in all rounds, the mean over seeds.
    """
    lines = [_line(HEADS), "|---" * len(HEADS) + "|"]
    rows = []
    for federation in federations:
        facts = federation.runs[0].facts
        records = [run.source.record for run in federation.runs]
        sent = [r.rows[-1]["wire_bytes"] / facts["participants"] / 2**20 for r in records]
        rejected = sum(sum(r.summary["rejected"].values()) for r in records)
        cells = (
            f"{facts['model']}, {facts['lr']:g}, {facts['rounds']}",
            course(facts),
            describe_upload(facts),
            federation.accuracy.times(100).show(1),
            f"{sum(sent) / len(sent):.3g}",
            str(rejected),
            str(len(federation.runs)),
        )
        rows.append(_line(cells))
    return "\n".join([*lines, *rows])


def course(facts: dict[str, Any]) -> str:
    """How a federation goes, in words, from its scenario."""
    if facts["participants"] == 1:
        return f"alone, {facts['examples']} examples"
    if facts["rule"] != "dssgd":
        return f"{facts['rule']}, share {facts['share']:g}"
    late = f", staleness {facts['staleness']}" if facts["order"] == "asynchronous" else ""
    part = f", theta_d {facts['theta_d']:g}" if facts["theta_d"] < 1 else ""
    return f"{facts['order']}{late}{part}"


def describe_upload(facts: dict[str, Any]) -> str:
    """What a participant sends, in words, from the scenario."""
    options = dict(facts["defense_options"])
    if facts["defense"] != "dssgd":
        told = ", ".join(f"{k} {v}" for k, v in options.items())
        return f"{facts['defense']} at the {facts['where']}" + (f": {told}" if told else "")
    if options.get("selection") == "all":
        return "all"
    rule = "random above tau" if options.get("selection") == "random" else "largest"
    noisy = facts.get("per_parameter")
    told = f"{rule} {options.get('theta_u', 0.1):g}"
    return told if noisy is None else f"sparse vector {options.get('theta_u', 0.1):g}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
