"""Audit a training loop that leakgauge did not write: Opacus' own, on scikit-learn's digits.

See "Your own trainer" in docs/audits.md. Exit code 0: not refuted; 1: claim refuted; 2: bad input.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from opacus import __version__
from opacus_canaries import BlackBox, WhiteBox
from opacus_loop import DELTA, Loop, break_noise
from torch import Tensor
from torch.nn.functional import cross_entropy

import victims
from attacks import audit
from defenses import BadInput
from reports.charts.epsilon_by_step import course_chart
from reports.charts.render import save
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.commands.progress import Progress
from reports.evidence.control import CANNOT_JUDGE
from reports.records import atomic

PROG = "python docs/examples/opacus_audit.py"
EXAMPLES = 500
"""Private pictures besides canaries."""
CONFIDENCE = 0.95
MOST_EPSILON = 20.0
"""Opacus' PRV accountant takes memory without end for more."""


def parse(argv: Sequence[str] | None) -> Namespace:
    """The flags.

    Raises:
        BadInput: a number out of range.
    """
    parser = Parser(PROG, description="Audit the epsilon that Opacus claims for its own loop.")
    add = parser.add_argument
    add("--epsilon", type=float, default=8.0, help=f"budget at delta {DELTA:g} (default 8)")
    add("--epochs", type=int, default=20, help="default 20")
    add("--canaries", type=int, help="half are inserted (default 1000; mislabelled: 700)")
    add(
        "--canary",
        choices=("dirac", "random", "mislabelled"),
        default="dirac",
        help="gradients, seen at every step, or mislabelled pictures, by the model alone (dirac)",
    )
    add("--method", choices=audit.names(), help="auditor (default gdp; mislabelled: one-run)")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--out", type=Path, default=Path("runs/opacus-audit"), help="folder of figure and state")
    add(
        "--break-noise",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="demonstrate a refutation: draw only this share of the claimed noise (default 1)",
    )
    options = parser.parse_args(argv)
    black = options.canary == "mislabelled"
    options.method = options.method or ("one-run" if black else "gdp")
    options.canaries = (700 if black else 1000) if options.canaries is None else options.canaries
    for name in ("epochs", "canaries"):
        if getattr(options, name) < 1:
            raise BadInput(f"--{name} is {getattr(options, name)}; it must be >= 1")
    if options.seed < 0:
        raise BadInput(f"--seed is {options.seed}; it must be >= 0")
    if not 0 < options.epsilon <= MOST_EPSILON:
        raise BadInput(f"--epsilon is {options.epsilon:g}; it must be in (0, {MOST_EPSILON:g}]")
    if not (options.break_noise > 0 and math.isfinite(options.break_noise)):
        raise BadInput(f"--break-noise is {options.break_noise:g}; it must be > 0 and finite")
    if options.out.exists() and not options.out.is_dir():
        raise BadInput(f"--out {options.out} is a file; it must be a folder")
    return options


def prepared(options: Namespace) -> tuple[Loop, WhiteBox | BlackBox]:
    """Opacus' training, and the audit in it.

    Raises:
        BadInput: more canaries than there are pictures or coordinates, or too small a budget.
    """
    budget = {name: getattr(options, name) for name in ("epsilon", "epochs", "seed")}
    canaries = {"count": options.canaries, "seed": options.seed}
    black = options.canary == "mislabelled"
    count = EXAMPLES + (options.canaries if black else 0)
    data = victims.load_data("digits", split="train", count=count, seed=options.seed)
    try:
        if black:
            pictures = BlackBox(data, **canaries)
            loop = Loop.made(*pictures.private, **budget)
            pictures.model = loop.model
            return loop, pictures
        loop = Loop.made(data.images, data.labels, **budget)
    except ValueError as error:
        raise BadInput(f"--epsilon {options.epsilon:g} cannot be kept: {error}") from error
    return loop, WhiteBox(loop, kind=options.canary, **canaries)


@dataclass
class Course:
    """The canaries' scores (m,), and epsilon as Opacus accounts for it, at some steps."""

    steps: list[int]
    scores: list[Tensor]
    claimed: list[float]


def train(loop: Loop, audited: WhiteBox | BlackBox, epochs: int, kept: Path) -> Course:
    """Train as with Opacus alone, canaries apart; after a kill, from the last epoch in ``kept``."""
    course, first = Course([], [], []), 0
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        course, first = Course(**state["course"]), state["epochs"]
        loop.load(state["loop"])
        audited.load(state["scores"])
    total = epochs * len(loop.loader)
    looks, step = audit.look_steps(total), first * len(loop.loader)
    with Progress() as report:
        for epoch in range(first, epochs):
            for images, labels in loop.loader:
                loop.optimizer.zero_grad()
                cross_entropy(loop.model(images), labels).backward()
                audited.join(step)
                loop.optimizer.step()
                step += 1
                if step in looks:
                    course.steps.append(step)
                    course.scores.append(audited.scores())
                    course.claimed.append(float(loop.engine.get_epsilon(DELTA)))
                report("training with canaries", step, total)
            state = {"epochs": epoch + 1, "course": vars(course), "loop": loop.state()}
            with atomic(kept) as scratch:
                torch.save({**state, "scores": audited.scores()}, scratch)
    return course


def main(argv: Sequence[str] | None = None) -> int:
    """Train with canaries, bound epsilon from below, compare, draw. Returns the exit code."""
    options = parse(argv)
    torch.set_num_threads(1)
    loop, audited = prepared(options)
    broken = options.break_noise != 1
    if broken:
        break_noise(loop.optimizer, options.break_noise)

    def bound(scores: Tensor) -> float:
        return audit.lower_bound(
            scores, audited.inserted, delta=DELTA, method=options.method, confidence=CONFIDENCE
        )

    reach = bound(audited.inserted.double())  # too few canaries are not worth a training
    asked = {k: v for k, v in vars(options).items() if k not in ("out", "method")}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]
    options.out.mkdir(parents=True, exist_ok=True)
    course = train(loop, audited, options.epochs, options.out / f"course-{digest}.pt")
    bounds = [bound(scores) for scores in course.scores]
    claimed, proven = course.claimed[-1], bounds[-1]
    doubted = audit.doubt(claimed, reach)
    found = audit.verdict(claimed, proven, doubted=doubted)
    chart = course_chart(course.steps, course.claimed, {options.method: bounds}, CONFIDENCE)
    save(chart, options.out / "epsilon.png")
    if broken:
        print(f"demonstration: {options.break_noise:g} of the claimed noise is drawn")
    print(
        f"Opacus {__version__}, torch {torch.__version__}: {course.steps[-1]} steps at sample rate "
        f"{1 / len(loop.loader):.4g}, noise multiplier {loop.optimizer.noise_multiplier:.4g}\n"
        f"{options.canaries} {options.canary} canaries, {int(audited.inserted.sum())} inserted\n"
        f"claimed: epsilon {claimed:.3f} at delta {DELTA:g}\n"
        f"audited: epsilon >= {proven:.3f} at {100 * CONFIDENCE:g}% confidence, by "
        f"{options.method}\nverdict: {found}{f': {doubted}' if found == CANNOT_JUDGE else ''}\n"
        f"{options.method} assumes {audit.get(options.method).assumes}\n"
        f"{options.out / 'epsilon.png'}"
    )
    return 1 if found == audit.REFUTED else 0


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "Secure RNG|Full backward hook|Optimal order")
    run_command(main, PROG)
