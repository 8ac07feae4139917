"""``python -m attacks.invert.cliff FOLDER``: PSNR against drop rate and noise, and the count."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import victims
from attacks.invert.peeling.cliff import Cliff, Picture, cliffs, whole
from attacks.invert.peeling.graph import read_graph
from attacks.invert.peeling.rules.contract import NoRule
from defenses import BadInput
from reports.charts.cliff import Points, RunOut, Victim, cliff_chart
from reports.charts.render import save
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.estimates import Median
from reports.records import Record
from reports.records.column import ADAPTIVE, Column
from reports.records.find import gather
from reports.records.inversion import prior_rows, psnr_of, rows_of
from reports.scores import SCORES

PROG = "python -m attacks.invert.cliff"
MASKED, NOISY = "dprs", "dpsgd"
STEPS = 200
"""Of the predicted line."""
EXACT = 1e-3
"""A pixel that is off by less, a quarter of a grey level, is exact."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    text = "of sweeps over docs/studies/cliff.toml and cliff-large.toml, finished or not"
    add("folders", nargs="+", type=Path, metavar="FOLDER", help=text)
    add("--classes", type=int, default=10, help="number of labels (default 10)")
    add("--out", type=Path, help="the figure (default: cliff.png in the first folder)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure and print its numbers. Returns the exit code."""
    arguments = parse(argv)
    found = [source.record for source in gather(arguments.folders).sources]
    records = [r for r in found if r.scenario.get("defense") in (MASKED, NOISY) and r.rows]
    if not records:
        folders = ", ".join(map(str, arguments.folders))
        raise BadInput(f"{folders}: no Record of {MASKED} or {NOISY}")
    names = list(dict.fromkeys(str(r.scenario["model"]) for r in records))
    shown = [
        _victim(name, [r for r in records if r.scenario["model"] == name], arguments.classes)
        for name in names
    ]
    out = arguments.out or arguments.folders[0] / "cliff.png"
    save(cliff_chart(shown, _subtitle(records)), out)
    print(
        "| model | weights | option | value | median PSNR, dB | images |\n|---|---|---|---|---|---|"
    )
    for victim in shown:
        for option, lines in (("rate", victim.masked), ("noise", victim.noisy)):
            for state, points in lines.items():
                for value, median in points:
                    cells = victim.name, state, option, f"{value:g}", median.show(), median.n
                    print(f"| {' | '.join(map(str, cells))} |")
        print(f"| {victim.name} | | no release | | {victim.guess.show()} | {victim.guess.n} |")
    for name in names:
        own = [r for r in records if r.scenario["model"] == name]
        print(_exact(name, own, _counted(own[0], arguments.classes)[1]), end="")
    print(f"\n{out}")
    return 0


def _exact(name: str, records: Sequence[Record], picture: Picture) -> str:
    """Expected and found share of exact pixels by drop rate, where a layer is fed with pixels."""
    if not picture.seen(0.0):
        return ""
    lines = [
        "",
        "| model | weights | rate | pixels expected to be told | found exactly, median |",
        "|---|---|---|---|---|",
    ]
    found: dict[tuple[str, float], list[tuple[float, int]]] = {}
    for record in (r for r in records if r.scenario["defense"] == MASKED):
        rate = float(record.bounds[MASKED]["options"]["rate"])
        gap = (record.arrays[f"{MASKED}/adaptive"] - record.arrays["truth"]).abs()
        shares = (gap < EXACT).flatten(1).double().mean(1).tolist()
        pairs = [(share, record.scenario["seed"]) for share in shares]
        found.setdefault((_state(record), rate), []).extend(pairs)
    for (state, rate), pairs in sorted(found.items(), key=lambda item: item[0]):
        median = Median.of([p for p, _ in pairs], [s for _, s in pairs], (0.0, 1.0))
        lines.append(
            f"| {name} | {state} | {rate:g} | {picture.seen(rate):.3f} | {median.show(3)} |"
        )
    return "\n".join(lines) + "\n"


def _subtitle(records: Sequence[Record]) -> str:
    """Data, images and seeds, in a line."""
    parts = []
    for name in ("data", "images"):
        values = sorted({str(r.scenario[name]) for r in records})
        parts.append(" or ".join(values))
    seeds = len({r.scenario["seed"] for r in records})
    plural = "seeds" if seeds > 1 else "seed"
    return f"{parts[0]}, {parts[1]} images x {seeds} {plural}; medians and 95% intervals"


def _victim(name: str, records: Sequence[Record], classes: int) -> Victim:
    """One model's row of the figure."""
    lines: dict[str, dict[str, Points]] = {MASKED: {}, NOISY: {}}
    for state in sorted({_state(r) for r in records}, reverse=True):
        for defense, option in ((MASKED, "rate"), (NOISY, "noise_multiplier")):
            own = [r for r in records if r.scenario["defense"] == defense and _state(r) == state]
            if own:
                lines[defense][state] = _points(own, option)
    layers, picture, coordinates = _counted(records[0], classes)
    out = RunOut("whole update", *[whole(coordinates, picture.pixels)] * 2)
    falls = picture.falls or (out.first, out.half)
    blank = [r.baseline["mean_image"]["psnr"]["mean"] for r in records]
    return Victim(
        name,
        lines[MASKED],
        lines[NOISY],
        _guess(records),
        (*_run_outs(layers, picture.pixels), out),
        RunOut("predicted cliff", *falls),
        _expected(picture, sum(blank) / len(blank)),
    )


def _state(record: Record) -> str:
    """Whether the weights are trained."""
    return "untrained" if record.scenario["state"] == "untrained" else "trained"


def _points(records: Sequence[Record], option: str) -> Points:
    """Median PSNR of the adaptive attacker at each value of an option, over images and seeds.

    Raises:
        BadInput: two Records are about one image under one release.
    """
    scores: dict[float, list[tuple[float, int]]] = {}
    seen: set[tuple[float, int, int]] = set()
    for record in records:
        defense = record.scenario["defense"]
        value = float(record.bounds[defense]["options"][option])
        seed = record.scenario["seed"]
        for row in rows_of(record)[Column(defense, ADAPTIVE)]:
            if (value, seed, row["image"]) in seen:
                raise BadInput(
                    f"two Records have image {row['image']} of {record.scenario['model']} at "
                    f"{option} {value:g}, seed {seed}; give folders that have it once"
                )
            seen.add((value, seed, row["image"]))
            scores.setdefault(value, []).append((psnr_of(row), seed))
    return tuple((value, _median(pairs)) for value, pairs in sorted(scores.items()))


def _guess(records: Sequence[Record]) -> Median:
    """Median PSNR of the best guesses without a release, each image of a seed once."""
    seen: dict[tuple[int, int], float] = {}
    for record in records:
        for row in prior_rows(record):
            seen[record.scenario["seed"], row["image"]] = psnr_of(row)
    return _median([(psnr, seed) for (seed, _), psnr in seen.items()])


def _median(pairs: Sequence[tuple[float, int]]) -> Median:
    return Median.of([p for p, _ in pairs], [s for _, s in pairs], SCORES["psnr"].range)


def _counted(record: Record, classes: int) -> tuple[list[Cliff], Picture, int]:
    """The layers of a Record's model, what they say of a picture, and its coordinates."""
    channels, height, width = record.arrays["truth"].shape[1:]
    with torch.random.fork_rng(devices=[]):
        model = victims.load_model(
            record.scenario["model"], image_shape=(channels, height, width), classes=classes
        )
    try:
        layers = cliffs(read_graph(model, (channels, height, width)))
    except NoRule:
        layers = []
    coordinates = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return layers, Picture(tuple(layers), channels * height * width), coordinates


def _run_outs(layers: Sequence[Cliff], pixels: int) -> list[RunOut]:
    """Where equations run out, layers that do so together under one name.

    A layer that says less than the picture has no cliff, and its rate no beginning.
    """
    groups: dict[float, list[tuple[float, str]]] = {}
    for layer in layers:
        first, half = layer.falls
        first = first if layer.values >= pixels else half
        if half > 0:
            groups.setdefault(round(half, 3), []).append((first, layer.layers[-1]))
    return [
        RunOut(_layers([title for _, title in found]), min(first for first, _ in found), half)
        for half, found in groups.items()
    ]


def _layers(titles: Sequence[str]) -> str:
    """The layers, which are listed from the logits down, by the lowest of them."""
    if len(titles) == 1:
        return f"layer {titles[0]}"
    return f"{len(titles)} layers from {titles[-1]}"


def _expected(picture: Picture, guess: float) -> tuple[tuple[float, float], ...]:
    """Drop rate and PSNR where pixels are told by themselves and the others are the mean image's.

    Args:
        picture: of the model.
        guess: PSNR of the auxiliary images' mean.
    """
    if not picture.seen(0.0):
        return ()
    rates = [1 - 10 ** (-4 * k / STEPS) for k in range(STEPS + 1)]
    top = SCORES["psnr"].range[1]
    return tuple((rate, min(top, guess + picture.gain(rate))) for rate in rates)


if __name__ == "__main__":
    run_command(main, PROG)
