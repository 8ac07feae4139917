"""Attack a captured update, and say how much of it the guess explains."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from attacks.invert.before.adversary import Adversary
from attacks.invert.before.victim import Victim
from attacks.invert.bounds import guarantee
from attacks.invert.command import command_line
from attacks.invert.contract import Guess, Threat, registry
from attacks.invert.evidence import Trial, weigh
from attacks.invert.images import for_learning, image_shape, load_auxiliary
from attacks.invert.joined import JOINED, join
from attacks.invert.load import build_defenses, load_model_under
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.meter import measure
from attacks.invert.modes import in_training, mode_warning
from attacks.invert.observation import load_observation
from attacks.invert.observation_flags import NOISES
from attacks.invert.scenario import Scenario
from attacks.invert.show import CUT
from attacks.invert.truth import load_truth, truth_digest
from attacks.invert.velocity import Round, begins, gradients_of
from defenses import BadInput, Release, preprocessing, stream
from reports.commands.origins import note
from reports.commands.progress import Report
from reports.estimates import Estimate
from reports.estimates.counts import count_of
from reports.records import Record
from reports.records.column import ADAPTIVE, NAIVE, Column
from reports.records.environment import environment
from reports.records.explained import sentences
from reports.records.inversion import OBSERVATION, Row, rows_of
from reports.records.keyed import Keyed
from reports.records.scored import ScoreRow
from reports.scores import assign
from reports.scores.prior import means_of, prior_baseline, score_rows
from victims.data import Data, digest
from victims.gradients import LocalSteps
from victims.gradients.seen import holds_weights


@dataclass(frozen=True)
class Observed(Keyed):
    """A captured update and what is known of where it comes from.

    Attributes:
        scenario: data, model and defense that it is said to come from, and the attack.
        path: its file.
        sha256: of that file, so that another update under the same name is another one.
        truth: files of the private pictures, to score the guesses by; empty where nobody has them.
        truth_sha256: of these files.
        train_mode: whether the update was made in training mode, see `in_training`.
        eval_mode: whether it is known that it was not; otherwise a model that acts differently in
            the two modes is warned of.
        noises: how many updates of noise are attacked for comparison, see `weigh`.
        later: files of further rounds of the same client on the same images, with their weights.
        later_sha256: of each of these files.
        kept_momentum: of the client's SGD, whose velocity outlives a round; 0: it does not.
    """

    scenario: Scenario
    path: Path
    sha256: str
    truth: tuple[Path, ...] = ()
    truth_sha256: str = ""
    train_mode: bool = False
    eval_mode: bool = False
    noises: int = NOISES
    later: tuple[Path, ...] = ()
    later_sha256: tuple[str, ...] = ()
    kept_momentum: float = 0.0

    @staticmethod
    def of(
        scenario: Scenario, paths: Sequence[Path], truth: Sequence[Path] = (), **facts: Any
    ) -> Observed:
        """The update in a file for each round, its truth in others, other attributes by name.

        Raises:
            BadInput: a file cannot be read.
        """
        private = truth_digest(truth) if truth else ""
        first, *later = map(_digest, paths)
        return Observed(
            scenario,
            paths[0],
            first,
            tuple(truth),
            private,
            later=tuple(paths[1:]),
            later_sha256=tuple(later),
            **facts,
        )

    def document(self) -> dict[str, Any]:
        """The Scenario's fields and the update's, as JSON holds them."""
        own: dict[str, Any] = {"observation": self.path.name, "observation_sha256": self.sha256}
        own["noises"] = self.noises
        if self.truth:
            own |= {"truth": [path.name for path in self.truth], "truth_sha256": self.truth_sha256}
        if self.train_mode:
            own["train_mode"] = True
        if self.later:
            own["later_rounds"] = [path.name for path in self.later]
            own["later_sha256"] = list(self.later_sha256)
        if self.kept_momentum:
            own["kept_momentum"] = self.kept_momentum
        return {**self.scenario.document(), **own}


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is not a readable safetensors file: {error}") from error


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
    shape = image_shape(own)
    truth = load_truth(seen.truth, shape, scenario.batch) if seen.truth else None
    rounds = load_rounds(seen, own, device)
    victim, release = rounds[0]
    defense = victim.defense
    column = Column(scenario.defense, NAIVE if scenario.columns == NAIVE else ADAPTIVE)
    threat = _threat(scenario, victim, own, adaptive=column.adaptive)
    if len(rounds) > 1:
        # Labels are told by one round's last layer; the joined model has several.
        labels = recover_labels(victim.model, victim.loss, release, threat)
        victim, release = join([v for v, _ in rounds], [r for _, r in rounds])
        threat = dataclasses.replace(threat, defense=victim.defense, labels=labels)
    adversary = Adversary(registry.get(scenario.attack, **scenario.attack_options), threat)
    clock = Clock.of(scenario.budget and scenario.budget * scenario.batch)
    report("practising on auxiliary images", 0, 2)
    draw = stream(scenario.seed, "practice", column.defense, column.adaptive)
    adversary = adversary.practise(victim, clock, generator=draw)
    report("attacking the observation", 1, 2)
    adversary = adversary.with_threat(seconds=clock.left / scenario.batch)
    with measure() as meter:
        draw = stream(scenario.seed, "attack", column.key, 0)
        guess = adversary.guess(victim, release, generator=draw)
    if adversary.hurried or clock.over:
        guess = dataclasses.replace(guess, stopped="time")
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
    spent = (meter.gradients // scenario.batch, adversary.practice // scenario.batch)
    rows = _rows(guess, truth, column, *spent, release.wire_bytes)
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = digest(own)
    facts["command"] = command(seen)
    return Record(
        OBSERVATION,
        seen.document(),
        rows,
        {column.key: {name: e.document() for name, e in means_of(rows).items()}},
        baseline,
        {scenario.defense: guarantee(defense, scenario.delta)},
        facts,
        arrays,
    )


def load_victim(seen: Observed, own: Data, device: str) -> tuple[Victim, Release]:
    """The victim as the flags tell of it, and its update, both on the device."""
    scenario, shape = seen.scenario, image_shape(own)
    defense = build_defenses(dataclasses.replace(scenario, against=()))[scenario.defense]
    model = load_model_under(defense, scenario, shape, own.classes)
    local = scenario.local
    if seen.train_mode and local is None and scenario.batch > 1:
        # The examples of such a batch have no gradients of their own: it is one step of a client.
        local = LocalSteps(1, 1.0, scenario.batch)
    release = load_observation(seen.path, model, defense, scenario.batch, local)
    if not (seen.train_mode or seen.eval_mode) and (text := mode_warning(model)):
        print(text, file=sys.stderr)
    if seen.train_mode:
        model = in_training(model, shape, scenario.batch if local is None else local.batch)
    update = {k: v.to(device) for k, v in release.update.items()}
    victim = Victim(model.to(device), cross_entropy, defense, local=local)
    return victim, dataclasses.replace(release, update=update)


def load_rounds(seen: Observed, own: Data, device: str) -> list[Round]:
    """Victim and update of each round whose images are sought, without earlier rounds' momentum.

    Raises:
        BadInput: the attack takes one round alone, a file holds no weights, or momentum cannot be
            taken out, see `gradients_of`.
    """
    found = [load_victim(seen, own, device)]
    for path, sha256 in zip(seen.later, seen.later_sha256, strict=True):
        if not holds_weights(path):
            raise BadInput(
                f"{path} holds no weights: of several rounds each has its own, as the files of "
                "victims.capture have"
            )
        there = dataclasses.replace(seen.scenario, state=str(path), state_sha256=sha256)
        known = dataclasses.replace(seen, scenario=there, path=path, eval_mode=not seen.train_mode)
        found.append(load_victim(known, own, device))
    if seen.kept_momentum:
        started = begins([seen.path, *seen.later])
        found = gradients_of(found, seen.kept_momentum, started)
    if len(found) > 1 and seen.scenario.attack not in JOINED:
        raise BadInput(
            f"several rounds are attacked together by {', '.join(JOINED)}, not by "
            f"{seen.scenario.attack!r}: give --attack"
        )
    return found


def _threat(scenario: Scenario, victim: Victim, own: Data, *, adaptive: bool) -> Threat:
    """What the adversary has beside the update."""
    auxiliary, learning = for_learning(own)
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


def command(seen: Observed) -> str:
    """The command that attacks the same update again."""
    start = Scenario()
    return command_line(
        seen.scenario,
        images=start.images,
        against=list(start.against),
        observation=[seen.path, *seen.later],
        truth=list(seen.truth) or None,
        train_mode=seen.train_mode,
        eval_mode=seen.eval_mode,
        noises=seen.noises,
        kept_momentum=seen.kept_momentum,
    )


def headline(record: Record) -> str:
    """What was recovered, scored or not, and how much of the update it explains."""
    (rows,) = rows_of(record).values()
    found = ", ".join(str(row["label_found"]) for row in rows)
    name, attack = record.scenario["observation"], rows[0]["attack"]
    if later := record.scenario.get("later_rounds"):
        name += f" and {count_of(len(later), 'later round')}"
    images = count_of(len(rows), "image")
    lines = [f"{name}: {attack} guessed {images}, label{'s' * (len(rows) > 1)} {found}"]
    if "explained" in record.baseline:
        lines.append(sentences(record.baseline["explained"]))
    else:
        defense = record.scenario["defense"]
        lines.append(f"what it explains is not told: {defense} acts before the gradient")
    if "shown" in record.baseline:
        lines += ["image      PSNR dB    SSIM   LPIPS", *map(_scored, rows)]
        best = record.baseline["shown"]
        mean = Estimate.read(record.baseline[best]["psnr"]).show()
        lines.append(f"a guess without the update ({best.replace('_', ' ')}): {mean} dB")
    else:
        lines.append("unscored: --truth PICTURE scores it")
    if any(row["stopped"] == "time" for row in rows):
        lines.append(CUT)
    return "\n".join(lines)


def _scored(row: Mapping[str, Any]) -> str:
    """One guess's scores as a line of a table."""
    cells = (
        f"{'-' if row[name] is None else format(row[name], f'.{digits}f'):>{wide}}"
        for name, digits, wide in (("psnr", 1, 13), ("ssim", 2, 8), ("lpips", 2, 8))
    )
    return f"{row['image']:>5}{''.join(cells)}"
