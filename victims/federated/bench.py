"""``python -m victims.federated.bench``: how many uploads a server takes in a second.

Participants answer at once with what they have ready, so that the server and the way of the
messages are all that is timed; beside it stands what a participant's own epoch takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from reports.commands.entry import run_command
from reports.commands.flags import DATA_ROOT
from victims.federated.flags import federation_of, federation_parser
from victims.federated.participant import Participant
from victims.federated.victim import Victim

PROG = "python -m victims.federated.bench"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags of this command beside those of a federation."""
    flags = federation_parser(argv, PROG, __doc__.partition("\n")[0])
    add = flags.add_argument
    add("--counts", type=int, nargs="+", default=[2, 8, 30, 100], help="of participants")
    add("--repeats", type=int, default=5, help="rounds that are timed (default 5)")
    add("--data-root", help=DATA_ROOT)
    return flags.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Time, and print a row per number of participants. Returns the exit code."""
    from victims.federated.victim import load_victim

    arguments = parse(argv)
    federation = federation_of(arguments)
    print(
        "| participants | uploads a second | uploads a second, with training | the server's share |"
    )
    print("|---" * 4 + "|")
    for count in arguments.counts:
        changed = dataclasses.replace(federation, participants=count, rounds=1 + arguments.repeats)
        victim = load_victim(changed, arguments.data_root)
        alone, whole = (statistics.median(times(victim, ready)) for ready in (True, False))
        print(f"| {count} | {count / alone:.0f} | {count / whole:.1f} | {alone / whole:.1%} |")
    return 0


def times(victim: Victim, ready: bool) -> list[float]:
    """Seconds of each round but the first.

    Args:
        victim: what the federation works on.
        ready: whether participants send what they have, instead of training for it.
    """
    from victims.federated.apps import client_app, server_app
    from victims.federated.inprocess import new_contexts, run_in_process
    from victims.federated.serve import Course

    moments = [time.perf_counter()]
    shown = victim
    if ready:
        update = victim.participant(0).upload(victim.start, 0, {})
        shown = ReadyVictim(**vars(victim), update=update)
    course = Course(victim.server())
    server = server_app(
        lambda context: course, lambda course: moments.append(time.perf_counter()), 600.0
    )
    contexts = new_contexts(victim.plan.federation.participants)
    run_in_process(server, client_app(lambda context: shown), contexts)
    return [after - before for before, after in pairwise(moments[1:])]


@dataclass(frozen=True)
class ReadyParticipant(Participant):
    """A participant who has its upload ready.

    Attributes:
        update: the upload, the same whenever it is asked.
    """

    update: Mapping[str, Tensor]

    def upload(
        self, weights: Mapping[str, Tensor], round: int, kept: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """See `Participant.upload`."""
        return dict(self.update)


@dataclass(frozen=True)
class ReadyVictim(Victim):
    """A victim all of whose participants have the same upload ready.

    Attributes:
        update: the upload.
    """

    update: Mapping[str, Tensor]

    def participant(self, index: int) -> Participant:
        """See `Victim.participant`."""
        return ReadyParticipant(**vars(super().participant(index)), update=self.update)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
