"""``python -m victims.transfer.compare``: private heads of many methods and epsilons, side by side.

As `reports.sweep` would, but features are read once, and sums and controls computed once, for all.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from defenses import BadInput
from reports import records
from reports.charts.accuracy_by_epsilon import accuracy_chart
from reports.charts.render import save
from reports.commands.claim import Writes, claim
from reports.commands.entry import run_command
from reports.commands.flags import Parser, add_run_flags, chosen_device
from reports.commands.keep import RECORD, earlier_record, is_made_by, refuse_other
from reports.commands.owned import remove
from reports.commands.progress import Progress, Report, expect
from reports.panels.trained import pool_runs
from reports.records.kinds import check_written
from victims.gradients.memory import keep_memory
from victims.transfer.checkpoint import PIECES
from victims.transfer.command import command_line
from victims.transfer.contract import registry
from victims.transfer.cost import seconds_of
from victims.transfer.features import store
from victims.transfer.flags import add_features_flag, read_method
from victims.transfer.prepare import Prepared, prepare
from victims.transfer.scenario import Transfer
from victims.transfer.study import checkpoint_in, control, study
from victims.transfer.table import heads_in, place_of, table

PROG = "python -m victims.transfer.compare"
FIGURE = "accuracy.png"
WRITES = Writes("victims.transfer.compare", (FIGURE, *(f"*/{name}" for name in (*RECORD, PIECES))))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", default="digits", help="see victims.transfer (default digits)")
    add("--backbone", default="scatternet", help="see victims.transfer (default scatternet)")
    text = "NAME,OPTION=VALUE,... (default all, at their defaults)"
    add("--method", nargs="+", metavar="METHOD", help=text)
    add("--epsilon", nargs="+", type=float, default=[1.0, 8.0], help="(default 1 8)")
    add("--delta", type=float, default=Transfer.delta, help="of the guarantee (default 1e-05)")
    add("--seeds", type=int, default=3, help="fits of each, by seeds 0, 1, ... (default 3)")
    add_run_flags(parser, "heads")
    add_features_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Fit what is not there yet, print the table, draw the figure. Returns the exit code."""
    arguments = parse(argv)
    keep_memory()
    transfers = list(transfers_of(arguments))
    device = chosen_device(arguments.device)
    out = arguments.out or Path("runs/heads")
    with claim(out, WRITES, holds_heads), Progress() as bar:
        base = prepare(
            transfers[0],
            folder=store(arguments.features),
            device=device,
            data_root=arguments.data_root,
            report=bar,
        )
        plans = [
            base.under(transfer) for transfer in transfers
        ]  # all of them, before any is fitted
        fit_all(plans, out, device, fresh=arguments.fresh, report=bar)
        heads = pool_runs(heads_in([out]))
        here = (arguments.data, arguments.backbone)
        save(accuracy_chart([head for head in heads if place_of(head) == here]), out / FIGURE)
    print(table(heads))
    print(f"\n{out / FIGURE}")
    return 0


def holds_heads(folder: Path) -> bool:
    """Whether Records of heads lie below a folder that no command says it has."""
    return any(is_made_by("victims.transfer", one) for one in folder.iterdir() if one.is_dir())


def transfers_of(arguments: argparse.Namespace) -> Iterator[Transfer]:
    """All heads that the flags ask for; one without noise is the same for every seed.

    Raises:
        BadInput: no seed, an unknown method or option, or an epsilon that is not > 0.
    """
    if arguments.seeds < 1:
        raise BadInput(f"--seeds is {arguments.seeds}; it must be >= 1")
    methods = [read_method(text) for text in arguments.method or registry.names()]
    for (method, options), epsilon in itertools.product(methods, arguments.epsilon):
        if not epsilon > 0:
            raise BadInput(f"epsilon is {epsilon:g}; it must be > 0, or inf for no noise")
        plain = math.isinf(epsilon)
        for seed in range(1 if plain else arguments.seeds):
            yield Transfer(
                data=arguments.data,
                backbone=arguments.backbone,
                method=method,
                options=options,
                epsilon=None if plain else epsilon,
                noise_multiplier=0.0 if plain else None,
                delta=arguments.delta,
                seed=seed,
            )


def fit_all(
    plans: Sequence[Prepared], out: Path, device: str, *, fresh: bool, report: Report
) -> None:
    """Fit every head whose Record does not lie in ``out/KEY`` yet, and write it there."""
    known: dict[str, torch.Tensor] = {}
    expect(report, lambda: _seconds([p for p in plans if fresh or not _lies(p, out)]))
    for turn, one in enumerate(plans):
        transfer = one.plan.transfer
        folder = out / transfer.key()
        report(f"{transfer.method}, epsilon {_epsilon(transfer):g}", turn, len(plans))
        earlier = None if fresh else earlier_record(folder, transfer.document())
        if earlier is not None:
            refuse_other(earlier, one.data, folder)
            continue
        name = repr(one.plan.method)
        if name not in known:
            known[name] = control(one)
        if fresh:
            remove(folder, (PIECES,))
        past = checkpoint_in(folder, one)
        record, _ = study(one, device, command_line(transfer), known[name], past)
        records.write(check_written(record), folder)
        past.clear()


def _lies(one: Prepared, out: Path) -> bool:
    """Whether a head's Record lies below the folder."""
    transfer = one.plan.transfer
    return earlier_record(out / transfer.key(), transfer.document()) is not None


def _seconds(missing: Sequence[Prepared]) -> float:
    """About how long heads and controls take: each method's fit is tried once."""
    methods = {repr(one.plan.method): one for one in missing}
    fits = Counter(repr(one.plan.method) for one in missing)
    return sum(
        seconds_of(one.plan.method, one.problem, fits[name] + 1) for name, one in methods.items()
    )


def _epsilon(transfer: Transfer) -> float:
    return math.inf if transfer.epsilon is None else transfer.epsilon


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
