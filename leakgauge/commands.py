"""The commands of ``leakgauge``: where each lies, what it is for, and how it is typed."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command.

    Attributes:
        main: module and function that run it, given its words or None for those of the process.
        flags: module and function that read its flags, given the same words.
        help: one line.
        first: words that stand before those of the user.
    """

    main: str
    flags: str
    help: str
    first: tuple[str, ...] = ()


COMMANDS = {
    "invert": Command(
        "attacks.invert.__main__:main",
        "attacks.invert.command:parse",
        "rebuild private images from what a defense releases",
    ),
    "membership": Command(
        "attacks.membership.__main__:main",
        "attacks.membership.command:parse",
        "tell who was in the training data",
    ),
    "audit": Command(
        "attacks.audit.__main__:main",
        "attacks.audit.command:parse",
        "prove a lower bound on epsilon; exit code 1 where it refutes the claim",
    ),
    "train": Command("victims.train:main", "victims.train:parse", "train a victim under a defense"),
    "transfer": Command(
        "victims.transfer.__main__:main",
        "victims.transfer.command:parse",
        "fit a private head on frozen public features",
    ),
    "federated": Command(
        "victims.federated.__main__:main",
        "victims.federated.command:parse",
        "train among participants that share updates",
    ),
    "invert-heads": Command(
        "attacks.invert.heads.__main__:main",
        "attacks.invert.heads.command:parse",
        "rebuild private images from what a private head releases",
    ),
    "membership-heads": Command(
        "attacks.membership.heads.__main__:main",
        "attacks.membership.heads.command:parse",
        "tell who was in the data of a private head",
    ),
    "membership-updates": Command(
        "attacks.membership.updates.__main__:main",
        "attacks.membership.updates.command:parse",
        "tell who was in the data of a participant of a federation",
    ),
    "audit-heads": Command(
        "attacks.audit.heads.__main__:main",
        "attacks.audit.heads.command:parse",
        "audit the epsilon of a private head",
    ),
    "sweep": Command(
        "reports.sweep.command:main",
        "reports.sweep.command:parse",
        "cross flags with several values, and keep every result",
    ),
    "build": Command(
        "reports.build:main", "reports.build:parse", "make a page and a PDF of results"
    ),
    "compare": Command(
        "reports.build:main",
        "reports.build:parse",
        "the same, of what changed from one folder to another",
        ("--compare",),
    ),
    "counting": Command(
        "attacks.invert.counting:main",
        "attacks.invert.counting:parse",
        "say at which drop rate a model's equations run out",
    ),
    "along": Command(
        "attacks.invert.along:main",
        "attacks.invert.along:parse",
        "attack a training at several of its steps",
    ),
    "bench": Command(
        "attacks.invert.bench:main",
        "attacks.invert.bench:parse",
        "measure what the inversions reach and cost",
    ),
    "growth": Command(
        "leakgauge.growth.command:main",
        "leakgauge.growth.command:parse",
        "measure time and memory against what grows",
    ),
    "doctor": Command(
        "leakgauge.doctor:main",
        "leakgauge.doctor:parse",
        "show versions, data, weights and devices that are found here",
    ),
}
