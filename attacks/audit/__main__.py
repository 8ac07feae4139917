"""``python -m attacks.audit``: is the epsilon true?"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import joblib

from attacks.audit import show
from attacks.audit.command import PROG, job, parse, perform
from attacks.audit.study import broken
from attacks.flags import chosen_device, command
from attacks.progress import Progress
from defenses import BadInput
from reports import records
from victims.memory import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, audit, print, draw. Returns the exit code: 1 when a claim is refuted."""
    arguments = parse(argv)
    exam = job(arguments)
    device = chosen_device(arguments.device)
    jobs = arguments.jobs
    if jobs is None:
        jobs = 1 if device == "cuda" else joblib.cpu_count()
    if jobs < 1:
        raise BadInput(f"--jobs is {jobs}; it must be >= 1")
    out = arguments.out or Path("runs") / f"audit-{exam.key()}"
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; it must be a folder")
    if arguments.fresh:
        shutil.rmtree(out, ignore_errors=True)
    keep_memory()
    record = records.read(out)
    if record is not None and record.scenario == exam.document():
        print(f"{out} holds this result already (--fresh runs it again)")
    else:
        with Progress() as bar:
            record = perform(
                exam,
                out=out,
                device=device,
                data_root=arguments.data_root,
                report=bar,
                jobs=jobs,
            )
        out.mkdir(parents=True, exist_ok=True)
        show.draw(record, out)
        records.write(record, out)
    print(show.table(record))
    print("\n" + "\n".join(str(p) for p in (out / "result.json", *show.paths(out))))
    return 1 if broken(record.rows) else 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
