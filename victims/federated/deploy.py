"""Both apps of a federation for ``flwr run``, which reads settings from an app's run config.

``flags`` are those of ``python -m victims.federated``, as one text; ``out`` is the folder of the
Record, relative to where the server runs. Every node loads the data by the name that the flags
give, and takes its own examples by its ``partition-id``.
"""

from __future__ import annotations

import os
from pathlib import Path

from reports import records
from reports.records.kinds import check_written
from reports.records.training import Round
from victims.federated.apps import client_app, server_app
from victims.federated.command import command_line
from victims.federated.flower import Context
from victims.federated.record import record_of, row_of
from victims.federated.serve import Course
from victims.federated.shared import victim_of
from victims.federated.show import describe, show, spent
from victims.federated.victim import Victim
from victims.federated.weights import write_weights

TIMEOUT = 600.0


def victim_in(context: Context) -> Victim:
    """The victim that a run config names."""
    return victim_of(str(context.run_config["flags"]), os.environ.get("LEAKGAUGE_DATA"))


class Deployed:
    """What the server of one run knows from round to round."""

    def __init__(self) -> None:
        self.rows: list[Round] = []

    def begin(self, context: Context) -> Course:
        """The course of the run config's federation, which is described."""
        self.victim, self.out = victim_in(context), Path(str(context.run_config["out"]))
        self.rows = []
        print(describe(self.victim.plan), flush=True)
        return Course(self.victim.server())

    def watch(self, course: Course) -> None:
        """Print a row per round; after the last one, write weights and Record."""
        server = course.server
        self.rows.append(row_of(self.victim, server, course.round))
        show(self.rows[-1])
        federation = server.plan.federation
        if course.round < federation.rounds:
            return
        again = command_line(federation)
        record = record_of(self.victim, server, self.rows, "cpu", again)
        print(spent(record))
        print(write_weights(self.victim, server, self.out))
        print(records.write(check_written(record), self.out), flush=True)


_deployed = Deployed()
server = server_app(_deployed.begin, _deployed.watch, TIMEOUT)
client = client_app(victim_in)
