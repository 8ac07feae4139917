"""Attack a captured update, and say how much of it the guess explains."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.invert.adversary import Adversary
from attacks.invert.bounds import guarantee
from attacks.invert.contract import Guess, Threat, registry
from attacks.invert.images import image_shape, load_auxiliary, part_auxiliary
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.meter import measure
from attacks.invert.observation.evidence import Trial, weigh
from attacks.invert.observation.rounds import join
from attacks.invert.observation.scenario import Observed, command
from attacks.invert.observation.truth import load_truth
from attacks.invert.observation.victim import load_rounds
from attacks.invert.replayed import with_replays
from attacks.invert.scenario import Scenario
from attacks.invert.victim import Victim
from defenses import Release, preprocessing, stream
from reports.commands.origins import note
from reports.commands.progress import Report
from reports.records import Record
from reports.records.column import ADAPTIVE, NAIVE, Column
from reports.records.environment import environment
from reports.records.inversion import OBSERVATION, Row
from reports.records.scored import ScoreRow
from reports.scores import assign
from reports.scores.prior import means_of, prior_baseline, score_rows
from victims.data import Data, digest


def content(seen: Observed, data_root: str | None) -> str:
    """Digest of the adversary's images, all that an attack on the update sees of data."""
    return digest(load_auxiliary(seen.scenario, "train", data_root))


def run(seen: Observed, **context: Any) -> Record:
    """See `attack_update`; the Record notes what the Scenario names."""
    return note(seen.document(), lambda: attack_update(seen, **context))


def attack_update(
    seen: Observed, *, out: Path, device: str, data_root: str | None, report: Report
) -> Record:
    """Attack the update.

    Args:
        seen: the update and what is known of it.
        out: not used: there is one piece.
        device: where the attack is run.
        data_root: see `victims.load_data`.
        report: told of progress.

    Raises:
        BadInput: the data, the model or the update cannot be had as named.
    """
    scenario = seen.scenario
    own = load_auxiliary(scenario, "train", data_root)
    truth = load_truth(seen.truth, image_shape(own), scenario.batch) if seen.truth else None
    rounds = load_rounds(seen, own, device)
    victim, release = rounds[0]
    bound = guarantee(victim.defense, scenario.delta)
    column = Column(scenario.defense, NAIVE if scenario.columns == NAIVE else ADAPTIVE)
    threat = _threat(scenario, victim, own, adaptive=column.adaptive)
    if len(rounds) > 1:
        # Labels are told by one round's last layer; the joined model has several.
        labels = recover_labels(victim.model, victim.loss, release, threat)
        victim, release = join([v for v, _ in rounds], [r for _, r in rounds])
        threat = dataclasses.replace(threat, defense=victim.defense, labels=labels)
    adversary, guess, evaluations = _attack(scenario, column, victim, release, threat, report)
    baseline: dict[str, Any] = {}
    arrays: dict[str, Tensor] = {}
    if not preprocessing.stages(victim.defense):
        trial = Trial(victim, adversary, release, guess, scenario.seed)
        baseline["explained"] = weigh(trial, seen.noises, report)
    if truth is not None:
        order = assign(guess.images, truth)
        guess = dataclasses.replace(guess, images=guess.images[order], labels=guess.labels[order])
        told, arrays["prior"] = prior_baseline(truth, own.images)
        baseline |= told
        arrays["truth"] = truth
    arrays[column.key] = torch.clone(guess.images)
    practice = adversary.practice // scenario.batch
    rows = _rows(guess, truth, column, evaluations, practice, release.wire_bytes)
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = digest(own)
    facts["command"] = command(seen)
    summary = {column.key: {name: e.document() for name, e in means_of(rows).items()}}
    models = {scenario.defense: rounds[0][0].model}
    bounds = with_replays({scenario.defense: bound}, scenario, models)
    return Record(OBSERVATION, seen.document(), rows, summary, baseline, bounds, facts, arrays)


def _attack(
    scenario: Scenario,
    column: Column,
    victim: Victim,
    release: Release,
    threat: Threat,
    report: Report,
) -> tuple[Adversary, Guess, int]:
    """Practise and guess within the Scenario's budget.

    Returns:
        The adversary after practice, its guess, and the gradients per image that this one took.
    """
    adversary = Adversary(registry.get(scenario.attack, **scenario.attack_options), threat)
    clock = Clock.of(scenario.budget and scenario.budget * scenario.batch)
    what = "practising on auxiliary images"
    report(what, 0, 2)
    draw = stream(scenario.seed, "practice", column.defense, column.adaptive)
    adversary = adversary.practise(
        victim,
        clock,
        generator=draw,
        tell=lambda spent: report(f"{what}, {spent:,} gradients", 0, 2),
    )
    report("attacking the observation", 1, 2)
    adversary = adversary.with_threat(seconds=clock.left / scenario.batch)
    with measure(lambda spent: report(f"attacking, {spent:,} gradients", 1, 2)) as meter:
        draw = stream(scenario.seed, "attack", column.key, 0)
        guess = adversary.guess(victim, release, generator=draw)
    if adversary.hurried or clock.over:
        guess = dataclasses.replace(guess, stopped="time")
    return adversary, guess, meter.gradients // scenario.batch


def _threat(scenario: Scenario, victim: Victim, own: Data, *, adaptive: bool) -> Threat:
    """What the adversary has beside the update."""
    auxiliary, learning = part_auxiliary(own)
    return Threat(
        defense=victim.defense,
        adaptive=adaptive,
        image_shape=image_shape(own),
        classes=own.classes,
        batch_size=scenario.batch,
        auxiliary_images=auxiliary.images,
        auxiliary_labels=auxiliary.labels,
        evaluations=scenario.evaluations,
        learning_images=learning.images if len(learning.images) else None,
        local=victim.local,
    )


def _rows(
    guess: Guess,
    truth: Tensor | None,
    column: Column,
    evaluations: int,
    practice: int,
    wire_bytes: int,
) -> list[Row]:
    """A row per guess, in the order of the truth, with its scores where there is one."""
    unknown: ScoreRow = {"psnr": None, "ssim": None, "lpips": None}
    count = len(guess.labels)
    scores = [unknown] * count if truth is None else score_rows(guess.images, truth)
    rows = []
    for image, label in enumerate(guess.labels):
        row = Row(
            image=image,
            defense=column.defense,
            adaptive=column.adaptive,
            attack=guess.attack,
            iterations=guess.iterations,
            stopped=guess.stopped,
            label_found=int(label),
            evaluations=evaluations,
            practice=practice,
            wire_bytes=wire_bytes,
            psnr=scores[image]["psnr"],
            ssim=scores[image]["ssim"],
            lpips=scores[image]["lpips"],
        )
        if guess.note:
            row["note"] = guess.note
        rows.append(row)
    return rows
