"""``leakgauge growth``: time and memory against what grows, each beside its floor."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from defenses import BadInput
from defenses.errors import one_line
from leakgauge.growth.apart import LONG, measure_apart
from leakgauge.growth.axes import AXES
from leakgauge.growth.axis import Axis
from leakgauge.growth.curve import Curve, Point
from reports.charts.growth import Growing, Line, growth_chart
from reports.charts.render import save
from reports.commands.claim import probe
from reports.commands.flags import Parser
from reports.commands.measured import Measured
from reports.records.environment import environment, environment_line

Curves = tuple[Curve, Curve]
"""Of leakgauge, and of the floor."""
PROG = "python -m leakgauge.growth"
ENDINGS = (".png", ".pdf", ".svg")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    sizes = ", ".join(
        f"{name} {axis.sizes[0]:,} to {axis.sizes[-1]:,}" for name, axis in AXES.items()
    )
    add("--axes", nargs="+", choices=AXES, default=list(AXES), help=f"{sizes} (default: all)")
    add("--at-most", type=int, help="the largest size (default: all that an axis has)")
    add("--repeats", type=int, default=3, help="timed calls of what is not long (default 3)")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--json", type=Path, metavar="FILE", help="also write the rows there, each when it is had")
    text = "measure nothing: take what --json has kept, of several files the last"
    add("--draw", nargs="+", type=Path, metavar="FILE", help=text)
    add("--figure", type=Path, help="also draw it: .png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        raise BadInput(f"--repeats is {arguments.repeats}; it must be >= 1")
    if arguments.figure and arguments.figure.suffix not in ENDINGS:
        raise BadInput(f"--figure is {arguments.figure}; it must end in {', '.join(ENDINGS)}")
    for path in (arguments.json, arguments.figure):
        if path is not None:
            probe(path.parent)
    for name in arguments.axes:
        least = AXES[name].sizes[0]
        if arguments.at_most is not None and arguments.at_most < least:
            raise BadInput(f"--at-most is {arguments.at_most}; {name} starts at {least}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table in Markdown; returns the exit code."""
    arguments = parse(argv)
    if arguments.draw:
        _show(_kept(arguments.draw), arguments.figure)
        return 0
    facts = environment(seed=arguments.seed, device="cpu") | {"threads": 1}
    kept = Measured(arguments.json, {"command": PROG, **facts})
    print(
        "Every size in a process of its own, one thread. What takes less than "
        f"{LONG:g} s is called once before the clock runs, and then {arguments.repeats} times: "
        "median (min-max). Peak memory is above that before. Powers are of the larger half of the "
        "sizes."
    )
    print(f"{environment_line(facts, ('torch',))}\n")
    print("| what grows | to | what is timed | s | peak MB | floor, s | its MB | time over floor |")
    print("|---|---|---|---|---|---|---|---|")
    found = {name: _measure(name, AXES[name], arguments, kept) for name in arguments.axes}
    _show(found, arguments.figure)
    if arguments.json:
        print(arguments.json)
    return 0


def _show(found: Mapping[str, Curves], figure: Path | None) -> None:
    """Print how everything grows, and draw it where a file is named."""
    print("\n| what grows | what is timed | grows as its power | floor | grows as its power |")
    print("|---|---|---|---|---|")
    for name, (own, floor) in found.items():
        cells = (AXES[name].label, own.label, _power(own), floor.label, _power(floor))
        print(f"| {' | '.join(cells)} |")
    if figure:
        shown = [Growing(AXES[n].label, _line(own), _line(low)) for n, (own, low) in found.items()]
        print(f"\n{save(growth_chart(shown), figure)}")


def _kept(files: Sequence[Path]) -> dict[str, Curves]:
    """What earlier runs have measured, in the order of `AXES`."""
    points: dict[tuple[str, bool, int], Point] = {}
    for path in files:
        try:
            for row in json.loads(path.read_text())["rows"]:
                place = (str(row["axis"]), bool(row.get("floor")), int(row["size"]))
                seconds = tuple(float(value) for value in row["seconds"])
                points[place] = Point(place[2], seconds, row["peak_mb"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{path} holds no growth: {one_line(error)}") from error
    found = {}
    for name, axis in AXES.items():
        own, floor = (
            tuple(p for (n, low, _), p in sorted(points.items()) if n == name and low is which)
            for which in (False, True)
        )
        if own and len(own) == len(floor):
            found[name] = Curve(axis.measured, own), Curve(axis.floor, floor)
    if not found:
        raise BadInput(f"{files[0]} holds no axis of growth; there are {', '.join(AXES)}")
    return found


def _measure(name: str, axis: Axis, arguments: argparse.Namespace, kept: Measured) -> Curves:
    """Measure an axis and its floor size by size, and print a line for each."""
    own, floors = [], []
    most = arguments.at_most or axis.sizes[-1]
    for size in (s for s in axis.sizes if s <= most):
        given = {"repeats": arguments.repeats, "seed": arguments.seed}
        point = measure_apart(name, size, floor=False, **given)
        floor = measure_apart(name, size, floor=True, **given)
        own.append(point)
        floors.append(floor)
        kept.add(axis=name, size=size, seconds=point.seconds, peak_mb=point.peak_mb)
        kept.add(axis=name, size=size, floor=True, seconds=floor.seconds, peak_mb=floor.peak_mb)
        cells = [axis.label, f"{size:,}", axis.measured]
        for each in (point, floor):
            ends = f" ({min(each.seconds):.3g}-{max(each.seconds):.3g})"
            cells.append(f"{each.median:.3g}{ends if len(each.seconds) > 1 else ''}")
            cells.append("-" if each.peak_mb is None else f"{each.peak_mb:,.0f}")
        print(f"| {' | '.join(cells)} | {point.median / floor.median:.2f} |", flush=True)
    return Curve(axis.measured, tuple(own)), Curve(axis.floor, tuple(floors))


def _power(curve: Curve) -> str:
    """The exponent as the table has it; of too few sizes none."""
    found = curve.exponent()
    return "-" if math.isnan(found) else f"{found:.2f}"


def _line(curve: Curve) -> Line:
    """The curve as the figure has it."""
    return Line(
        curve.label,
        [p.size for p in curve.points],
        [(min(p.seconds), p.median, max(p.seconds)) for p in curve.points],
        [p.peak_mb for p in curve.points],
    )
