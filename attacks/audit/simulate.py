"""``python -m attacks.audit.simulate``: how tight and how honest the auditors are.

Scores of mechanisms that are exactly mu-GDP, so that the true epsilon is known: how often a bound
exceeds it, and the median bound. A table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor

from attacks import audit
from defenses import BadInput, stream
from defenses.privacy.tradeoff import epsilon_of
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.commands.progress import Progress
from reports.estimates import Estimate

PROG = "python -m attacks.audit.simulate"
MUS = (0.0, 1.0, 2.0, 3.0)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the simulation."""
    parser = Parser(prog=PROG, description="Simulate the auditors on scores of known epsilon.")
    add = parser.add_argument
    add("--canaries", type=int, default=1000, help="in each trial (default 1000)")
    add("--trials", type=int, default=200, help="for each mu and auditor (default 200)")
    add("--delta", type=float, default=1e-5, help="default 1e-5")
    add("--confidence", type=float, default=0.95, help="default 0.95")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate and print. Returns the exit code."""
    arguments = parse(argv)
    if arguments.trials < 1:
        raise BadInput(f"--trials is {arguments.trials}; it must be >= 1")
    truths = {mu: epsilon_of(mu, arguments.delta) for mu in MUS}
    heads = [f"epsilon {truth:.3g}" for truth in truths.values()]
    rows, done, total = [], 0, len(audit.names()) * len(MUS) * arguments.trials
    with Progress() as report:
        for name in audit.names():
            cells = []
            for mu, truth in truths.items():
                bounds = []
                for trial in range(arguments.trials):
                    scores, coins = trial_of(arguments.canaries, mu, arguments.seed, trial)
                    bounds.append(
                        audit.lower_bound(
                            scores,
                            coins,
                            delta=arguments.delta,
                            method=name,
                            confidence=arguments.confidence,
                        )
                    )
                    done += 1
                    report("simulating", done, total)
                above = Estimate.share(sum(b > truth + 1e-9 for b in bounds), len(bounds))
                cells.append(
                    f"{median(bounds):.2f}; {100 * above.mean:.1f}, {100 * above.high:.1f}"
                )
            rows.append(f"| `{name}` | {' | '.join(cells)} |")
    print(
        f"{arguments.canaries} canaries, {arguments.trials} trials, delta {arguments.delta:g}, "
        f"confidence {arguments.confidence:g}, seed {arguments.seed}, torch {torch.__version__}.\n"
        "Median bound; percent of trials above the truth, and the upper end of its 95% interval.\n"
    )
    print(f"| method | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    print("\n".join(rows))
    return 0


def trial_of(canaries: int, mu: float, seed: int, trial: int) -> tuple[Tensor, Tensor]:
    """(m,) scores of a mu-GDP mechanism and the fair coins they are about."""
    draw = stream(seed, "simulated audit", canaries, mu, trial)
    coins = torch.rand(canaries, generator=draw) < 0.5
    return torch.randn(canaries, generator=draw, dtype=torch.float64) + mu * coins, coins


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
