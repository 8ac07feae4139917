"""One inversion Scenario from private images to a Record: gradients, release, guess, score."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from attacks.invert.adversaries import Adversaries
from attacks.invert.adversary import Adversary
from attacks.invert.cost import seconds_of
from attacks.invert.fisher import fisher_psnr
from attacks.invert.load import Cast, load_cast
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.meter import measure
from attacks.invert.pieces import Piece, Pieces
from attacks.invert.record import record_of
from attacks.invert.scenario import COLUMNS, RUNNING, Scenario
from attacks.invert.score import score
from attacks.invert.victim import Victim
from defenses import stream
from defenses.checks import check_finite
from defenses.options import shown_options
from reports.commands.progress import Report, expect, unwatched
from reports.records import Record
from reports.records.column import ADAPTIVE, Column
from victims.data import Data
from victims.training.streams import content_of

ATTACK = 0.8
"""Share of a batch's time that its attack gets, where time is guarded; the rest is for the
candidate game and the Fisher information."""


@dataclass
class Shared:
    """What the columns of one study share.

    Attributes:
        scenario: what is studied.
        cast: what it names, loaded.
        adversaries: one for each column.
        pieces: the batches that are finished.
        report: told of progress.
        total: batches and columns in all.
        done: batches and columns so far.
    """

    scenario: Scenario
    cast: Cast
    adversaries: Adversaries
    pieces: Pieces
    report: Report
    total: int
    done: int = 0

    def place(self, column: Column, index: int) -> str:
        """Where the study is, in a line: the column, and which of its batches."""
        return f"{column.key}: batch {index + 1} of {self.scenario.batches}"

    def say(self, line: str) -> None:
        """Report a line of progress."""
        self.report(line, self.done, self.total)


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
) -> Record:
    """See `attacks.run`."""
    cast = load_cast(scenario, device=device, data_root=data_root)
    columns = columns_of(scenario, cast.victims)
    adversaries, pieces = Adversaries(scenario, cast), Pieces(scenario, out, cast.content)
    total = len(columns) * (scenario.batches + 1)
    shared = Shared(scenario, cast, adversaries, pieces, report, total)
    expect(report, lambda: seconds_of(scenario, cast, adversaries, pieces, columns))
    found = {column: attack_column(shared, column) for column in columns}
    shared.say("scoring the baseline")
    return record_of(scenario, cast, found, device=device)


def columns_of(scenario: Scenario, names: Iterable[str]) -> list[Column]:
    """The attackers of each defense that the Scenario asks for, defense by defense."""
    names, asked = tuple(names), COLUMNS[scenario.columns]
    columns = [Column(n, a) for n in names for a in asked if n != "none" or a == ADAPTIVE]
    if "none" in names and scenario.columns == "naive":
        columns.insert(
            0, Column("none", ADAPTIVE)
        )  # nothing to replay: both attackers are the same
    return columns


def attack_column(shared: Shared, column: Column) -> list[Piece]:
    """Attack every batch as one attacker; batches that an earlier run has finished are taken.

    Raises:
        BadInput: the attack does not apply to this victim.
    """
    scenario, adversary = shared.scenario, shared.adversaries.of(column)
    clock = Clock.of(scenario.budget and scenario.budget * scenario.images)
    pieces = []
    for index in range(scenario.batches):
        piece = shared.pieces.load(column, index)
        if piece is None:
            batch = shared.cast.batch(index, scenario.batch)
            if scenario.labels_known:
                adversary = adversary.with_threat(labels=batch.labels.cpu())
            ready = shared.adversaries.practise(column, adversary, clock, shared.say)
            shared.say(shared.place(column, index))
            turn = clock.part(1 / (scenario.batches - index))
            piece = attack_batch(shared, column, index, ready, batch, turn)
            shared.pieces.save(column, index, piece)
        pieces.append(piece)
        shared.done += 1
    shared.done += 1
    return pieces


def attack_batch(
    shared: Shared, column: Column, index: int, adversary: Adversary, batch: Data, clock: Clock
) -> Piece:
    """Attack one private batch and score the guess.

    Args:
        shared: by the columns of the study.
        column: whose turn it is.
        index: of the batch, which names its random streams.
        adversary: of the column, after practice.
        batch: the private images and labels, on the study's device.
        clock: of this batch.

    Raises:
        BadInput: the gradient of a private image is not finite.
    """
    scenario, victim = shared.scenario, shared.cast.victims[column.defense]
    images, labels, size = batch.images, batch.labels, scenario.batch
    draw = partial(stream, scenario.seed)
    own = (column.defense, index, _content(scenario, victim, batch))

    grads = victim.gradients(images, labels, generator=draw("exposure", *own))
    check_finite(grads)  # a defense would leave such examples out, and there is nothing to rebuild
    release = victim.release(grads, images, generator=draw("release", *own))
    adversary = adversary.with_threat(seconds=clock.part(ATTACK).left / size)
    place = shared.place(column, index)
    with measure(lambda spent: shared.say(f"{place}, {spent:,} gradients")) as meter:
        guess = adversary.guess(victim, release, generator=draw("attack", column.key, index))
    rank = adversary.rank(
        release,
        grads,
        images,
        labels,
        generator=draw("candidates", column.key, index),
        clock=clock,
    )
    ceiling = fisher_psnr(
        victim.model,
        victim.loss,
        release,
        adversary.threat,
        images,
        labels,
        generator=draw("probe", column.defense, index),
        clock=clock,
    )
    if adversary.hurried or clock.over:
        guess = dataclasses.replace(guess, stopped="time")
    return score(
        guess,
        images.cpu(),
        labels.cpu(),
        seconds=meter.seconds / size,
        evaluations=meter.gradients // size,
        practice=adversary.practice // size,
        wire_bytes=release.wire_bytes,
        rank=rank,
        fisher_psnr=ceiling,
    )


def _content(scenario: Scenario, victim: Victim, batch: Data) -> str:
    """What names a release's noise: no two releases of different images share theirs."""
    told = shown_options(victim.defense)
    options = json.dumps(told | (scenario.local.facts() if scenario.local else {}), default=repr)
    names = [scenario.model, scenario.state_sha256, options]
    if scenario.batch_norm != RUNNING:
        names.append(scenario.batch_norm)
    return content_of(batch.images, batch.labels, *names)
