"""``python -m attacks.invert.counting``: the drop rate at which a model's equations run out."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import victims
from attacks.invert.peeling.cliff import Cliff, Picture, update_cliff
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.layer_cliffs import cliffs
from attacks.invert.peeling.rules.contract import NoRule
from attacks.invert.peeling.trace import read_graph
from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import Parser

PROG = "python -m attacks.invert.counting"
RATE = 0.9


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    known = ", ".join(victims.model_names())
    add("--model", default="lenet", help=f"{known}, or pkg.module:callable (default lenet)")
    add(
        "--image-shape",
        nargs=3,
        type=int,
        default=[3, 32, 32],
        metavar=("C", "H", "W"),
        help="channels, height and width of an image (default 3 32 32)",
    )
    add("--classes", type=int, default=10, help="number of labels (default 10)")
    add("--batch", type=int, default=1, help="examples per update (default 1)")
    add("--rate", type=float, default=RATE, help=f"share of coordinates dropped (default {RATE})")
    add("--weights", help="a safetensors file; shapes alone count: it only has to fit")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table in Markdown, and the cliff. Returns the exit code."""
    arguments = parse(argv)
    _check(arguments)
    channels, height, width = arguments.image_shape
    model = victims.load_model(
        arguments.model,
        image_shape=(channels, height, width),
        classes=arguments.classes,
        weights=arguments.weights,
    )
    try:
        graph = read_graph(model, (channels, height, width))
    except NoRule as reason:
        raise BadInput(f"model {arguments.model!r}: {reason}") from reason
    coordinates = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not coordinates:
        raise BadInput(f"model {arguments.model!r} has no trainable parameter: nothing is released")
    layers = cliffs(graph, arguments.batch)
    pixels = arguments.batch * channels * height * width
    print(f"{arguments.model}, {_shape(arguments)}, batch {arguments.batch}\n")
    print(table(layers, arguments.rate))
    for line in remarks(graph, Picture(tuple(layers), pixels), coordinates, arguments.rate):
        print(line)
    return 0


def table(layers: Sequence[Cliff], rate: float) -> str:
    """The layers from the logits down, as Markdown."""
    lines = [
        f"| layer | unknown | unknowns | equations | left at rate {rate:g} | told at rate {rate:g} "
        "| run out at rate | one missing at | half missing at |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for layer in layers:
        left, (one, half) = layer.left(rate), layer.falls
        enough = "" if left >= layer.unknowns else ", too few"
        cells = [
            " + ".join(layer.layers),
            layer.kind,
            f"{layer.unknowns:,}",
            f"{layer.equations:,}",
            f"{left:,}{enough}",
            f"{100 * layer.share(rate):.1f} %",
            *map(_percent, (layer.rate, one, half)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def remarks(graph: Graph, picture: Picture, coordinates: int, rate: float) -> list[str]:
    """What the table adds up to, a sentence each."""
    said = []
    missing = next((n.missing for n in reversed(list(graph.nodes.values())) if n.missing), "")
    if missing:
        said.append(f"\nPeeling stops at a layer without a rule: {missing}.")
    everything = update_cliff(coordinates, picture.pixels)
    said.append(
        f"\nThe whole update has {coordinates:,} coordinates for {picture.pixels:,} pixels: "
        + (f"as many are left at rate {_percent(everything)}." if everything else "too few.")
    )
    falls = picture.falls
    if falls is None:
        said.append(
            f"Predicted cliff: {_percent(everything)}, where the whole update runs out; no layer "
            "that can be solved by itself says as much as the picture."
        )
    else:
        said.append(
            f"Predicted cliff: from {_percent(falls[0])}, where one value is expected to be "
            f"missing of the layer that says as much as the picture, to {_percent(falls[1])}, "
            "where half of them are."
        )
    if picture.seen(0.0) > 0:
        share, gain = picture.seen(rate), picture.gain(rate)
        above = "as good as exact" if math.isinf(gain) else f"{gain:.1f} dB above theirs"
        said.append(
            f"At rate {rate:g} {100 * share:.1f} % of the pixels are expected to be told; where "
            f"the others are guessed, PSNR is {above}."
        )
    said.append("Equations say what is possible, not what an attack finds; noise is not counted.")
    return said


def _percent(rate: float) -> str:
    """A drop rate with as many digits as set it apart from 1."""
    if rate == 0:
        return "from the start"
    digits = 1 if rate < 0.99 else min(6, math.ceil(-math.log10(max(1 - rate, 1e-6))))
    return f"{100 * rate:.{digits}f} %"


def _shape(arguments: argparse.Namespace) -> str:
    return "x".join(map(str, arguments.image_shape)) + f" images, {arguments.classes} classes"


def _check(arguments: argparse.Namespace) -> None:
    if min(arguments.image_shape) < 1:
        raise BadInput(f"--image-shape is {arguments.image_shape}; all must be >= 1")
    for name, least in (("classes", 2), ("batch", 1)):
        if getattr(arguments, name) < least:
            raise BadInput(f"--{name} is {getattr(arguments, name)}; it must be >= {least}")
    if not 0 <= arguments.rate < 1:
        raise BadInput(f"--rate is {arguments.rate:g}; it must be in [0, 1)")


if __name__ == "__main__":
    run_command(main, PROG)
