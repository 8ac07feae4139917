"""``python -m victims.federated``: train among participants who share updates."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import records
from reports.commands.claim import Claim, Writes, claim
from reports.commands.entry import run_command
from reports.commands.flags import chosen_device
from reports.commands.keep import RECORD, earlier_record, is_made_by, refuse_other
from reports.commands.progress import Progress, expect
from reports.records.kinds import check_written
from reports.records.training import Round
from victims.federated.command import command_line, parse, scenario
from victims.federated.flags import PROG
from victims.federated.scenario import Federation

WRITES = Writes("victims.federated", (*RECORD, "weights.safetensors", "checkpoint.safetensors"))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, print a row per round, write the Record. Returns the exit code."""
    arguments = parse(argv)
    federation = scenario(arguments)
    chosen_device(arguments.device)
    from victims.federated.checkpoint import holds_federation

    out = arguments.out or Path("runs") / f"federated-{federation.key()}"

    def recognise(folder: Path) -> bool:
        return is_made_by(WRITES.command, folder) or holds_federation(folder)

    with claim(out, WRITES, recognise) as held:
        if arguments.fresh:
            held.refuse_strangers()
        _run(arguments, federation, held)
    return 0


def _run(arguments: argparse.Namespace, federation: Federation, held: Claim) -> None:
    """Run in a folder that is this run's; all flags are checked before a file of it changes."""
    from victims.federated.checkpoint import holds_federation
    from victims.federated.cost import seconds_of
    from victims.federated.engine import run_federation
    from victims.federated.record import record_of
    from victims.federated.show import describe, show, spent
    from victims.federated.victim import load_victim
    from victims.federated.weights import write_weights

    victim = load_victim(federation, arguments.data_root)
    out = held.folder
    if arguments.fresh:
        held.clear()
    elif (record := earlier_record(out, federation.document())) is not None:
        refuse_other(record, victim.data, out)
    print(describe(victim.plan), flush=True)
    with Progress() as bar:
        if not holds_federation(out):
            expect(bar, lambda: seconds_of(victim))

        def watch(row: Round) -> None:
            show(row)
            bar(f"round {row['epoch']}", row["epoch"], federation.rounds)

        server, rows = run_federation(
            victim,
            out,
            engine=arguments.engine,
            data_root=arguments.data_root,
            timeout=arguments.timeout,
            save_seconds=arguments.save_seconds,
            watch=watch,
        )
    record = record_of(victim, server, rows, "cpu", command_line(federation))
    print(f"\n{spent(record)}\n")
    print(write_weights(victim, server, out))
    print(records.write(check_written(record), out))


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
