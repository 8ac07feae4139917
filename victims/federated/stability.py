"""``python -m victims.federated.stability``: the largest learning rate that staleness allows.

A server that adds what stale participants learned adds it several times over: each of s others
that were asked with the same parameters brings the same step. How large a step may then be is
found by trying, on the participants' own examples, and printed beside what a quadratic loss
would allow.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence

from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT
from reports.commands.progress import Progress
from victims.federated.flags import federation_of, federation_parser
from victims.federated.scenario import Federation

PROG = "python -m victims.federated.stability"
RATES = tuple(0.4 * 2.0**-k for k in range(12))
"""Learning rates that are tried, the largest first: 0.4 to 0.0002."""
TRAINED = 2000
"""Private examples on which is seen whether a federation still learns."""
HELD = 0.9
"""A federation is stable that ends with this share of its best accuracy or more."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags of this command beside those of a federation."""
    flags = federation_parser(argv, PROG, __doc__.partition("\n")[0])
    flags.add_argument(
        "--stalenesses",
        type=int,
        nargs="+",
        default=[0, 1, 2, 4, 9],
        help="to find a learning rate for (default 0 1 2 4 9)",
    )
    flags.add_argument("--data-root", help=DATA_ROOT)
    return flags.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Try, and print a row per staleness. Returns the exit code."""
    arguments = parse(argv)
    arguments.order, arguments.staleness = "asynchronous", 0
    start = federation_of(arguments)
    if start.rule != "dssgd":
        raise BadInput("staleness is of rule dssgd, whose server adds")
    for s in arguments.stalenesses:
        dataclasses.replace(start, staleness=s)
    print("| staleness | stable lr | its accuracy | at twice that | a quadratic allows |")
    print("|---" * 5 + "|")
    with Progress() as bar:
        for s in arguments.stalenesses:
            rate, reached, beyond = largest_stable(start, s, arguments.data_root, bar)
            told = "none tried" if rate is None else f"{rate:.3g}"
            ends = " | ".join(f"{100 * v:.1f}" if v is not None else "-" for v in (reached, beyond))
            print(f"| {s} | {told} | {ends} | {quadratic(s):.3g} |", flush=True)
    return 0


def largest_stable(
    federation: Federation, staleness: int, data_root: str | None, bar: Progress
) -> tuple[float | None, float | None, float | None]:
    """The largest of `RATES` that is stable, its accuracy, and that of the rate above it.

    Accuracies are those of the first `TRAINED` private examples: nothing is chosen on the tests.
    """
    beyond = None
    for count, rate in enumerate(RATES):
        bar(f"staleness {staleness}, lr {rate:.3g}", count, len(RATES))
        tried = dataclasses.replace(federation, staleness=staleness, lr=rate)
        course = accuracies(tried, data_root)
        if course[-1] >= HELD * max(course) and course[-1] > 2 * course[0]:
            return rate, course[-1], beyond
        beyond = course[-1]
    return None, None, beyond


def accuracies(federation: Federation, data_root: str | None) -> list[float]:
    """Accuracy on private examples before the first round, and after each."""
    from victims.federated.engine import run_federation
    from victims.federated.victim import load_victim

    victim = load_victim(federation, data_root)
    victim = dataclasses.replace(victim, test=victim.train.take(victim.owners[:TRAINED]))
    before = victim.correct(victim.start) / len(victim.test.labels)
    _, rows = run_federation(victim, None)
    return [before, *(row["accuracy"] for row in rows)]


def quadratic(staleness: int) -> float:
    """The largest step, over the curvature, at which delayed descent on a quadratic is stable.

    w(t+1) = w(t) - c w(t - s) comes to rest exactly where c < 2 sin(pi / (2 (2 s + 1))) (Levin and
    May 1976, for the same recursion in population growth): 2 without delay, 1 where s is 1.
    """
    return 2 * math.sin(math.pi / (2 * (2 * staleness + 1)))


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
