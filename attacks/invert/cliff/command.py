"""The command that draws the figure and prints its numbers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from attacks.invert.cliff.measured import (
    MASKED,
    NOISY,
    exact_pixels,
    guess_psnr,
    psnr_by_option,
    state_of,
)
from attacks.invert.cliff.predicted import Prediction
from defenses import BadInput
from reports.charts.psnr_by_drop_rate import Points, Victim, drop_rate_chart
from reports.charts.render import save
from reports.commands.flags import Parser
from reports.records import Record
from reports.records.find import gather

PROG = "python -m attacks.invert.cliff"
DESCRIPTION = "PSNR against drop rate and noise, and the rate at which equations run out."


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=DESCRIPTION, allow_abbrev=False)
    add = parser.add_argument
    text = "of sweeps over docs/studies/cliff.toml and cliff-large.toml, finished or not"
    add("folders", nargs="+", type=Path, metavar="FOLDER", help=text)
    add("--classes", type=int, default=10, help="number of labels (default 10)")
    add("--out", type=Path, help="the figure (default: cliff.png in the first folder)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure and print its numbers. Returns the exit code."""
    arguments = parse(argv)
    models = _records_by_model(arguments.folders)
    predictions = {
        name: Prediction.of(records[0], arguments.classes) for name, records in models.items()
    }
    shown = [_victim(name, own, predictions[name]) for name, own in models.items()]
    out = arguments.out or arguments.folders[0] / "cliff.png"
    save(drop_rate_chart(shown, _subtitle([r for own in models.values() for r in own])), out)
    print(_psnr_table(shown))
    for name, own in models.items():
        if predictions[name].picture.seen(0.0):
            print(f"\n{_exact_table(name, own, predictions[name])}")
    print(f"\n{out}")
    return 0


def _records_by_model(folders: Sequence[Path]) -> dict[str, list[Record]]:
    """The Records of masks and of noise, by the name of the model.

    Raises:
        BadInput: there is none.
    """
    models: dict[str, list[Record]] = {}
    for source in gather(folders).sources:
        scenario = source.record.scenario
        if scenario.get("defense") in (MASKED, NOISY) and source.record.rows:
            models.setdefault(str(scenario["model"]), []).append(source.record)
    if not models:
        raise BadInput(f"{', '.join(map(str, folders))}: no Record of {MASKED} or {NOISY}")
    return models


def _victim(name: str, records: Sequence[Record], prediction: Prediction) -> Victim:
    """One model's row of the figure."""
    lines: dict[str, dict[str, Points]] = {MASKED: {}, NOISY: {}}
    for state in sorted({state_of(r) for r in records}, reverse=True):
        for defense, option in ((MASKED, "rate"), (NOISY, "noise_multiplier")):
            own = [r for r in records if r.scenario["defense"] == defense and state_of(r) == state]
            if own:
                lines[defense][state] = psnr_by_option(own, option)
    blank = [r.baseline["mean_image"]["psnr"]["mean"] for r in records]
    return Victim(
        name,
        lines[MASKED],
        lines[NOISY],
        guess_psnr(records),
        prediction.run_outs,
        prediction.cliff,
        prediction.psnr_by_rate(sum(blank) / len(blank)),
    )


def _subtitle(records: Sequence[Record]) -> str:
    """Data, images and seeds, in a line."""
    data, images = (
        " or ".join(sorted({str(r.scenario[name]) for r in records})) for name in ("data", "images")
    )
    seeds = len({r.scenario["seed"] for r in records})
    plural = "seeds" if seeds > 1 else "seed"
    return f"{data}, {images} images x {seeds} {plural}; medians and 95% intervals"


def _psnr_table(victims: Sequence[Victim]) -> str:
    """Every point of the figure, as Markdown."""
    lines = ["| model | weights | option | value | median PSNR, dB | images |"]
    lines.append("|---|---|---|---|---|---|")
    for victim in victims:
        for option, states in (("rate", victim.masked), ("noise", victim.noisy)):
            for state, points in states.items():
                lines += [
                    f"| {victim.name} | {state} | {option} | {value:g} | {m.show()} | {m.n} |"
                    for value, m in points
                ]
        guess = victim.guess
        lines.append(f"| {victim.name} | | no release | | {guess.show()} | {guess.n} |")
    return "\n".join(lines)


def _exact_table(name: str, records: Sequence[Record], prediction: Prediction) -> str:
    """Expected and found share of exact pixels by drop rate, as Markdown."""
    lines = ["| model | weights | rate | pixels expected to be told | found exactly, median |"]
    lines.append("|---|---|---|---|---|")
    for (state, rate), share in exact_pixels(records).items():
        expected = prediction.picture.seen(rate)
        lines.append(f"| {name} | {state} | {rate:g} | {expected:.3f} | {share.show(3)} |")
    return "\n".join(lines)
