"""``python -m reports.coverage``: how often the intervals hold what they are about, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reports.commands.flags import Parser
from reports.estimates import Estimate, pool
from reports.estimates.intervals import Range, Values
from reports.scores import SCORES

Draw = np.random.Generator
SIZES = (2, 4, 8, 12, 16, 32)
SEEDS, IMAGES = (2, 3, 4), (4, 8, 16)
SEEN = 0.035
"""A rarer kind of image has the share that a sample misses with this chance."""


@dataclass(frozen=True)
class Shape:
    """A law of scores.

    Attributes:
        name: for people.
        draw: a generator and a size to values.
        mean: of the law.
    """

    name: str
    draw: Callable[[Draw, int], Values]
    mean: float


def rebuilt(share: float, name: str) -> Shape:
    """Some images exactly rebuilt, at 60 dB, the others guessed, at 13 dB, give or take 1 dB."""

    def draw(random: Draw, size: int) -> Values:
        level = np.where(random.random(size) < share, 60.0, 13.0)
        return np.minimum(60.0, level + random.standard_normal(size) * (level < 60))

    return Shape(name, draw, 13 + 47 * share)


def shapes(size: int) -> list[Shape]:
    """The laws that an interval from ``size`` values is held to."""
    rare = 1 - SEEN ** (1 / size)  # 1 in 3 of 8, 1 in 5 of 16, 1 in 10 of 32
    return [
        Shape("normal", lambda r, n: r.normal(20, 4, n), 20),
        Shape("uniform", lambda r, n: r.uniform(10, 30, n), 20),
        Shape("heavy tails (t, 3 df)", lambda r, n: 30 + r.standard_t(3, n), 30),
        Shape("exponential", lambda r, n: 10 + r.exponential(3, n), 13),
        Shape("exponential, to the left", lambda r, n: 50 - r.exponential(3, n), 47),
        Shape("log-normal, sigma 1", lambda r, n: 10 + r.lognormal(0, 1, n), 10 + np.exp(0.5)),
        rebuilt(0.5, "half rebuilt"),
        rebuilt(rare, "as rare rebuilt as n can show"),
        rebuilt(1 - rare, "as rare not rebuilt"),
    ]


def coverage_of(shape: Shape, size: int, repeats: int, random: Draw) -> tuple[float, float]:
    """How often an interval holds the mean, of those that are given, and how often one is."""
    within: Range = SCORES["psnr"].range
    held = given = 0
    for _ in range(repeats):
        found = Estimate.of(np.clip(shape.draw(random, size), *within).tolist(), within)
        given += found.spread
        held += found.spread and found.low <= shape.mean <= found.high
    return held / max(1, given), given / repeats


def covered_over_seeds(
    seeds: int, images: int, effect: float, shape: Shape, repeats: int, random: Draw
) -> float:
    """The same for images of several seeds, each of which shifts all of its images.

    Args:
        seeds: how many seeds.
        images: of each seed.
        effect: standard deviation of the seeds' shifts in dB.
        shape: law of the images.
        repeats: samples.
        random: drawn from.
    """
    owners = np.repeat(np.arange(seeds), images)
    held = given = 0
    for _ in range(repeats):
        shift = effect * random.standard_normal(seeds)
        found = pool(shape.draw(random, len(owners)) + shift[owners], owners)
        given += found.spread
        held += found.spread and found.low <= shape.mean <= found.high
    return held / max(1, given)


def main(argv: Sequence[str] | None = None) -> None:
    """Print two Markdown tables."""
    parser = Parser(prog="python -m reports.coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000, help="samples a cell (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    given = parser.parse_args(argv)
    random = np.random.default_rng(given.seed)
    print(f"| law of the scores | {' | '.join(f'n = {n}' for n in SIZES)} |")
    print(f"|{'---|' * (1 + len(SIZES))}")
    for turn, shape in enumerate(shapes(SIZES[-1])):
        cells = []
        for size in SIZES:
            held, told = coverage_of(shapes(size)[turn], size, given.repeats, random)
            cells.append(f"{held:.3f}" if told else "too few")
        print(f"| {shape.name} | {' | '.join(cells)} |", flush=True)
    print(f"\n| seeds x images | {' | '.join(f'effect {e:g} dB' for e in (0, 2, 8))} |")
    print(f"|{'---|' * 4}")
    normal = shapes(SIZES[-1])[0]
    for seeds in SEEDS:
        for images in IMAGES:
            row = (seeds, images)
            found = [
                covered_over_seeds(*row, e, normal, given.repeats, random) for e in (0.0, 2.0, 8.0)
            ]
            print(f"| {seeds} x {images} | {' | '.join(f'{c:.3f}' for c in found)} |", flush=True)


if __name__ == "__main__":
    main()
