"""``python -m victims.transfer``: a private head on frozen public features."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from defenses import BadInput
from reports import records
from reports.commands.claim import Claim, Writes, claim
from reports.commands.entry import run_command
from reports.commands.flags import chosen_device
from reports.commands.keep import RECORD, earlier_record, is_made_by, refuse_other
from reports.commands.progress import Progress, expect
from reports.records import Record
from reports.records.kinds import check_written
from victims.data import digest
from victims.gradients.memory import keep_memory
from victims.transfer.checkpoint import PIECES, holds_releases
from victims.transfer.command import PROG, command_line, parse, scenario
from victims.transfer.cost import seconds_of
from victims.transfer.features import store
from victims.transfer.head import NAME, write_head
from victims.transfer.prepare import load, prepare
from victims.transfer.scenario import Transfer
from victims.transfer.show import describe, table
from victims.transfer.study import checkpoint_in, fits_of, study

WRITES = Writes("victims.transfer", (*RECORD, NAME, PIECES))
SPENT = (
    "holds a head or releases already, which may have been seen: a second secure fit spends its "
    "epsilon again; choose another --out, and add the two"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fit, print, write the Record. Returns the exit code."""
    arguments = parse(argv)
    if not arguments.save_seconds >= 0:
        raise BadInput(f"--save-seconds is {arguments.save_seconds:g}; it must be >= 0")
    keep_memory()
    transfer = scenario(arguments)
    device = chosen_device(arguments.device)
    out = arguments.out or Path("runs") / f"transfer-{transfer.key()}"
    with claim(out, WRITES, lambda folder: is_made_by(WRITES.command, folder)) as held:
        if arguments.fresh:
            held.refuse_strangers()
            kept = records.read(out) is not None or holds_releases(out) or (out / NAME).exists()
            if transfer.secure and kept:
                raise BadInput(f"{out} {SPENT}")
        elif (record := earlier_record(out, transfer.document())) is not None:
            refuse_other(record, digest(*load(transfer, arguments.data_root)), out)
            print(f"{out} holds this result already (--fresh fits it again)")
            print(f"\n{table(record)}")
            held.clear((PIECES,))  # of a run that was killed when all was there
            return 0
        if transfer.secure and (out / NAME).exists() and not holds_releases(out):
            raise BadInput(f"{out} {SPENT}")
        _fit(transfer, held, arguments, device)
    return 0


def _fit(transfer: Transfer, held: Claim, arguments: argparse.Namespace, device: str) -> Record:
    """Fit in a folder that is this run's; no result in it changes before the head is there."""
    folder, data_root = store(arguments.features), arguments.data_root
    with Progress() as bar:
        prepared = prepare(transfer, folder=folder, device=device, data_root=data_root, report=bar)
    if arguments.fresh:
        held.clear((PIECES,))
    past = checkpoint_in(held.folder, prepared, arguments.save_seconds)
    print(describe(prepared), flush=True)
    if past.known:
        print(f"{len(past.known)} of {prepared.plan.releases} releases were made before")
    with Progress() as bar:
        method, fits = prepared.plan.method, fits_of(transfer)
        expect(bar, lambda: seconds_of(method, prepared.problem, fits))
        record, head = study(prepared, device, command_line(transfer), past=past)
    if arguments.fresh:
        held.clear()
    paths = [
        write_head(head, record, held.folder),
        records.write(check_written(record), held.folder),
    ]
    past.clear()
    print(f"\n{table(record)}\n")
    for path in paths:
        print(path)
    return record


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
