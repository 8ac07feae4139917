"""``python -m attacks.invert.along RUN [RUN ...]``: what training runs leak, step by step."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports import records
from reports.charts.render import save
from reports.charts.scores_by_step import Moment, step_chart
from reports.commands.claim import Writes, claim
from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT, DEVICE, DEVICES, Parser, chosen_device
from reports.commands.keep import RECORD, attempt
from reports.commands.origins import origins
from reports.commands.owned import PIECES, remove
from reports.commands.progress import Progress
from reports.records.kinds import check_written
from reports.scores import SCORES

PROG = "python -m attacks.invert.along"
FIGURE = "along.png"
WRITES = Writes(
    "attacks.invert.along", (FIGURE, *("[0-9a-f]" * 10 + "/" + name for name in (*RECORD, *PIECES)))
)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="folders of victims.train")
    add("--names", nargs="+", help="what to call them in the figure (default: their defenses)")
    add("--moments", type=int, default=6, help="steps attacked, evenly over a run (default 6)")
    add("--images", type=int, default=4, help="members attacked at each step (default 4)")
    add("--attack", default="auto", help="see attacks.invert (default auto)")
    add("--evaluations", type=int, help="gradients per image (default: the attack's own)")
    add("--budget", type=float, help="a guard in seconds per image; see attacks.invert")
    add("--code", nargs="+", default=[], metavar="SPEC", help="code of the runs to be imported")
    add("--data-root", help=DATA_ROOT)
    add("--device", choices=DEVICES, default="auto", help=DEVICE)
    add(
        "--out",
        type=Path,
        default=Path("runs/along"),
        help="folder of the results (default runs/along)",
    )
    add("--fresh", action="store_true", help="attack again, and replace another figure")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Attack what has not been attacked, draw the figure, print the numbers; 0 when done."""
    arguments = parse(argv)
    device = chosen_device(arguments.device)
    names = arguments.names or [None] * len(arguments.runs)
    if len(names) != len(arguments.runs):
        raise BadInput(f"{len(names)} names for {len(arguments.runs)} runs")
    if arguments.moments < 2:
        raise BadInput(f"moments is {arguments.moments}; it must be >= 2")
    if arguments.budget is not None:
        from attacks.invert.show import TIMED

        print(TIMED, file=sys.stderr)
    with claim(arguments.out, WRITES) as held:
        asked = {k: getattr(arguments, k) for k in ("names", "moments", "images", "attack")}
        asked |= {"budget": arguments.budget, "evaluations": arguments.evaluations}
        asked |= {"runs": [str(r.resolve()) for r in arguments.runs]}
        if arguments.fresh:
            held.refuse_strangers()
        elif held.made() not in (None, asked):
            raise BadInput(
                f"{held.folder} holds the figure of other flags: choose another --out, or --fresh "
                "to replace it"
            )
        place = {"device": device, "data_root": arguments.data_root}
        moments = [
            m
            for r, n in zip(arguments.runs, names, strict=True)
            for m in _moments(r, n, arguments, place)
        ]
        _print(moments)
        figure = held.folder / FIGURE
        if attempt(lambda: save(step_chart(moments), figure)):
            print(f"\n{figure}")
        held.finish(asked)
    return 0


def _moments(
    folder: Path, name: str | None, arguments: argparse.Namespace, place: dict[str, Any]
) -> Iterator[Moment]:
    """Attack a run's steps, but for those whose Records lie in the folder of the results."""
    from attacks.families import run
    from attacks.invert import checkpoint
    from attacks.invert.scenario import Scenario

    last = checkpoint.steps_of(folder, arguments.code)
    steps = sorted({round(last * i / (arguments.moments - 1)) for i in range(arguments.moments)})
    for step in steps:
        with Progress(f"{folder.name} step {step}: ") as bar:
            fields = checkpoint.fields_at(folder, step, code=arguments.code, report=bar, **place)
            scenario = dataclasses.replace(
                Scenario(**fields),
                images=arguments.images,
                attack=arguments.attack,
                evaluations=arguments.evaluations,
                budget=arguments.budget,
            )
            out = arguments.out / scenario.key()
            if arguments.fresh:
                remove(out, (*RECORD, *PIECES))
            record = records.read(out)
            noted = {} if record is None else record.environment.get("origins", {})
            if record is None or noted != origins(scenario.document()):
                record = run(scenario, out=out, report=bar, **place)
                records.write(check_written(record), out)
        yield Moment(name or scenario.defense, step, record)


def _print(moments: Sequence[Moment]) -> None:
    print("| run | step | rate | attacker | PSNR dB | SSIM | LPIPS | prior PSNR |")
    print("|---|---|---|---|---|---|---|---|")
    for moment in moments:
        clocks = [scores.values["clock"] for scores in moment.found.columns.values()]
        for column in moment.found.columns:
            if column.defense != moment.defense:
                continue  # the positive control
            rate = moment.rate
            cut = "*" if any(clock.any() for clock in clocks) else ""
            cells = [moment.mean(column.attacker, n).show(s.digits) for n, s in SCORES.items()]
            prior = moment.guess["psnr"].show()
            print(
                f"| {moment.name} | {moment.step} | {'-' if rate is None else f'{rate:.2f}'} "
                f"| {column.attacker}{cut} | {' | '.join(cells)} | {prior} |"
            )


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
