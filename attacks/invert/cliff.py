"""``python -m attacks.invert.cliff FOLDER``: PSNR against drop rate and noise, and the count."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import victims
from attacks.invert.peeling.cliff import cliffs, predicted, whole
from attacks.invert.peeling.graph import read_graph
from attacks.invert.peeling.rules.contract import NoRule
from defenses import BadInput
from reports.charts.cliff import Points, Victim, cliff_chart
from reports.charts.render import save
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.estimates import Estimate
from reports.estimates.pooling import pool
from reports.records import Record
from reports.records.find import gather
from reports.scores import SCORES

PROG = "python -m attacks.invert.cliff"
MASKED, NOISY = "dprs", "dpsgd"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("folder", type=Path, help="of a sweep over docs/studies/cliff.toml, finished or not")
    add("--classes", type=int, default=10, help="number of labels (default 10)")
    add("--out", type=Path, help="the figure (default: cliff.png in the folder)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure and print its numbers. Returns the exit code."""
    arguments = parse(argv)
    found = [source.record for source in gather([arguments.folder]).sources]
    records = [r for r in found if r.scenario.get("defense") in (MASKED, NOISY) and r.rows]
    if not records:
        raise BadInput(f"{arguments.folder} holds no Record of {MASKED} or {NOISY}")
    names = sorted({_name(r) for r in records})
    shown = [
        _victim(name, [r for r in records if _name(r) == name], arguments.classes) for name in names
    ]
    guess = Estimate.read(records[0].baseline[records[0].baseline["shown"]]["psnr"])
    facts = records[0].scenario
    seeds = len({r.scenario["seed"] for r in records})
    subtitle = f"{facts['data']}, {facts['images']} images x {seeds} seeds, adaptive attacks"
    out = arguments.out or arguments.folder / "cliff.png"
    save(cliff_chart(shown, guess, subtitle), out)
    print("| model | option | value | PSNR dB | equations run out at rate |\n|---|---|---|---|---|")
    for victim in shown:
        for option, points in (("rate", victim.masked), ("noise", victim.noisy)):
            for value, mean in points:
                print(
                    f"| {victim.name} | {option} | {value:g} | {mean.show()} | {victim.cliff:.5g} |"
                )
    print(f"\n{out}")
    return 0


def _name(record: Record) -> str:
    """The model, and whether it is trained."""
    model = str(record.scenario["model"])
    return model if record.scenario["state"] == "untrained" else f"{model}, trained"


def _victim(name: str, records: Sequence[Record], classes: int) -> Victim:
    masked = [r for r in records if r.scenario["defense"] == MASKED]
    noisy = [r for r in records if r.scenario["defense"] == NOISY]
    return Victim(
        name,
        _points(masked, "rate"),
        _points(noisy, "noise_multiplier"),
        _cliff(records[0], classes),
    )


def _points(records: Sequence[Record], option: str) -> Points:
    """Mean PSNR of the adaptive attacker at each value of an option, seeds pooled."""
    scores: dict[float, list[tuple[float, int]]] = {}
    for record in records:
        defense = record.scenario["defense"]
        value = float(record.bounds[defense]["options"][option])
        for row in record.rows:
            if row["defense"] == defense and row["adaptive"]:
                scores.setdefault(value, []).append((row["psnr"], record.scenario["seed"]))
    within = SCORES["psnr"].range
    return tuple(
        (value, pool([p for p, _ in pairs], [s for _, s in pairs], within))
        for value, pairs in sorted(scores.items())
    )


def _cliff(record: Record, classes: int) -> float:
    """The drop rate at which the equations of a Record's model run out."""
    truth = record.arrays["truth"]
    channels, height, width = truth.shape[1:]
    with torch.random.fork_rng(devices=[]):
        model = victims.load_model(
            record.scenario["model"], image_shape=(channels, height, width), classes=classes
        )
    pixels = channels * height * width
    coordinates = sum(p.numel() for p in model.parameters() if p.requires_grad)
    try:
        layers = cliffs(read_graph(model, (channels, height, width)))
    except NoRule:
        layers = []
    return predicted(layers, pixels) or whole(coordinates, pixels)


if __name__ == "__main__":
    run_command(main, PROG)
