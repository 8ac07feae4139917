"""``python -m attacks.invert.sharing FOLDER ...``: what a shared part of an update gives away."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from defenses import BadInput
from reports.charts.render import save
from reports.charts.shared_part import QUANTITIES, Shared, Uploads, shared_part_chart
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.estimates import NOTHING, Estimate
from reports.records import Record
from reports.records.column import Column
from reports.records.find import gather

PROG = "python -m attacks.invert.sharing"
RULE = "dssgd"
"""The defense whose uploads are shown; ``none`` beside it is the positive control."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    text = "of sweeps over docs/studies/sharing.toml or parts of it, finished or not"
    parser.add_argument("folders", type=Path, nargs="+", help=text)
    text = "the figure as PNG (default sharing.png)"
    parser.add_argument("--figure", type=Path, default=Path("sharing.png"), help=text)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table in Markdown, draw the figure. Returns the exit code."""
    arguments = parse(argv)
    records = [source.record for source in gather(arguments.folders).sources]
    records = [r for r in records if r.kind == "inversion"]
    facts = {_setting(r) for r in records}
    if len(facts) > 1:
        raise BadInput(f"the Records are of several settings: {'; '.join(sorted(facts))}")
    lines = uploads(records)
    if not lines:
        names = ", ".join(map(str, arguments.folders))
        raise BadInput(f"{names}: no Record of an inversion under {RULE}")
    print(f"{facts.pop()}\n")
    print("\n".join(table(lines)))
    shown = {f"whole update{weights(r)}": undefended_scores([r]) for r in controls(records)}
    for name, found in {**(shown or {"whole update": {}}), "no update": blind(records)}.items():
        text = ", ".join(f"{k} {v.show(2)}" for k, v in found.items() if v.known)
        print(f"\n{name}: {text or 'not in these folders'}")
    save(
        shared_part_chart(lines, blind(records), undefended_scores(controls(records))),
        arguments.figure,
    )
    print(f"\n{arguments.figure}")
    return 0


def uploads(records: Sequence[Record]) -> list[Uploads]:
    """The uploads in Records, a line for each selection and state of the weights.

    Raises:
        BadInput: two Records would be one point, as those of other options or trained weights.
    """
    lines: dict[str, list[Shared]] = {}
    for record in records:
        column = f"{RULE}/adaptive"
        if column not in record.summary:
            continue
        options = record.bounds[RULE]["options"]
        sent = [r["wire_bytes"] for r in record.rows if r["defense"] == RULE and r["adaptive"]]
        found = _read(record, column) | {"advantage": naming_advantage(record, column)}
        point = Shared(float(options["theta_u"]), int(statistics.median(sent)), found)
        label = f"{options['selection']}{weights(record)}"
        line = lines.setdefault(label, [])
        if any(other.share == point.share for other in line):
            raise BadInput(
                f"two Records are of {label} at theta_u {point.share:g}: "
                "give folders of one gamma, one tau and one file of weights"
            )
        line.append(point)
    return [
        Uploads(label, tuple(sorted(points, key=lambda p: -p.share)))
        for label, points in sorted(lines.items())
    ]


def weights(record: Record) -> str:
    """What is said of trained weights behind a name; nothing of untrained ones."""
    return "" if record.scenario["state"] == "untrained" else ", trained weights"


def controls(records: Sequence[Record]) -> list[Record]:
    """Those of undefended updates, of weights of which there are uploads too; untrained first."""
    shown = {r.scenario["state"] for r in records if f"{RULE}/adaptive" in r.summary}
    found = [r for r in records if "none/adaptive" in r.summary and r.scenario["state"] in shown]
    return sorted(found, key=lambda r: r.scenario["state"] != "untrained")


def undefended_scores(records: Sequence[Record]) -> dict[str, Estimate]:
    """What the attack gets of the first undefended update; empty where none is among them."""
    for record in records:
        if (column := "none/adaptive") in record.summary:
            return _read(record, column) | {"advantage": naming_advantage(record, column)}
    return {}


def naming_advantage(record: Record, column: str) -> Estimate:
    """By how much an upload tells its image from another candidate, in [-1, 1]; 0 is chance.

    Of the private image and one of the other candidates, how much more often the first explains
    the upload better than the second does: twice the AUC less 1 of naming among the N candidates,
    1 - 2 (rank - 1) / (N - 1) in the mean, with the interval over the images. It is no membership
    advantage: that the image is one of the candidates is given. Nothing where the game was not
    played.
    """
    own = Column.of(column)
    total = record.bounds[own.defense].get("candidates") or 1
    ranks = [row["rank"] for row in record.rows if Column.of_row(row) == own]
    if total < 2:
        return NOTHING
    values = [None if r is None else 1 - 2 * (r - 1) / (total - 1) for r in ranks]
    return Estimate.of(values, (-1.0, 1.0))


def blind(records: Sequence[Record]) -> dict[str, Estimate]:
    """What the better guess without an update gets, and chance among the candidates."""
    for record in records:
        best = record.baseline.get(record.baseline.get("shown", ""))
        if best:
            chances = [b["candidates"] for b in record.bounds.values() if b.get("candidates")]
            found = {k: Estimate.read(best[k]) for k in ("psnr", "lpips")}
            return found | ({"top1": Estimate.exact(1 / chances[0])} if chances else {})
    return {}


def _read(record: Record, column: str) -> dict[str, Estimate]:
    """A column's means by the names in `QUANTITIES`."""
    own = record.summary[column]
    return {name: Estimate.read(own[name]) if name in own else NOTHING for name in QUANTITIES}


def _setting(record: Record) -> str:
    """What must be equal in one figure, in a line."""
    told = record.scenario
    return (
        f"{told['data']}, {told['images']} images of split {told['split']}, {told['model']}, "
        f"attack {told['attack']}, seed {told['seed']}"
    )


def table(lines: Sequence[Uploads]) -> Iterator[str]:
    """An upload a row, in Markdown."""
    yield (
        "| selection | theta_u | bytes | PSNR dB | LPIPS | labels found | named at once "
        "| naming advantage |"
    )
    yield "|---" * 8 + "|"
    for line in lines:
        for p in line.points:
            yield (
                f"| {line.label} | {p.share:g} | {p.sent:,} | {p.found['psnr'].show()} "
                f"| {p.found['lpips'].show(2)} | {p.found['labels'].show(2)} "
                f"| {p.found['top1'].show(2)} | {p.found['advantage'].show(2)} |"
            )


if __name__ == "__main__":
    run_command(main, PROG)
