"""Attack a captured update: no truth, so the guess is written and drawn but not scored."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from attacks.invert.before.adversary import Adversary
from attacks.invert.before.victim import Victim
from attacks.invert.bounds import guarantee
from attacks.invert.command import command_line
from attacks.invert.contract import Threat, registry
from attacks.invert.images import for_learning, image_shape, load_auxiliary
from attacks.invert.load import build_defenses, load_model_under
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.meter import measure
from attacks.invert.observation import load_observation
from attacks.invert.scenario import Scenario
from attacks.invert.show import CUT
from defenses import BadInput, stream
from reports.commands.origins import note
from reports.commands.progress import Report
from reports.estimates import NOTHING
from reports.records import Record
from reports.records.column import ADAPTIVE, NAIVE, Column
from reports.records.environment import environment
from reports.records.inversion import OBSERVATION, Row
from reports.records.keyed import Keyed
from reports.scores import SCORES
from victims.data import digest


@dataclass(frozen=True)
class Observed(Keyed):
    """A captured update and what is known of where it comes from.

    Attributes:
        scenario: data, model and defense that it is said to come from, and the attack.
        path: its file.
        sha256: of that file, so that another update under the same name is another one.
    """

    scenario: Scenario
    path: Path
    sha256: str

    @staticmethod
    def of(scenario: Scenario, path: Path) -> Observed:
        """The update in a file.

        Raises:
            BadInput: the file cannot be read.
        """
        try:
            with open(path, "rb") as file:
                return Observed(scenario, path, hashlib.file_digest(file, "sha256").hexdigest())
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} is not a readable safetensors file: {error}") from error

    def document(self) -> dict[str, Any]:
        """The Scenario's fields and the update's, as JSON holds them."""
        own = {"observation": self.path.name, "observation_sha256": self.sha256}
        return {**self.scenario.document(), **own}


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
    auxiliary, learning = for_learning(own)
    defense = build_defenses(dataclasses.replace(scenario, against=()))[scenario.defense]
    shape = image_shape(auxiliary)
    model = load_model_under(defense, scenario, shape, auxiliary.classes).to(device)
    release = load_observation(seen.path, model, defense, scenario.batch, scenario.local)
    release = dataclasses.replace(
        release, update={k: v.to(device) for k, v in release.update.items()}
    )
    column = Column(scenario.defense, NAIVE if scenario.columns == NAIVE else ADAPTIVE)
    threat = Threat(
        defense=defense,
        adaptive=column.adaptive,
        image_shape=shape,
        classes=auxiliary.classes,
        batch_size=scenario.batch,
        auxiliary_images=auxiliary.images,
        auxiliary_labels=auxiliary.labels,
        evaluations=scenario.evaluations,
        learning_images=learning.images if len(learning.images) else None,
        local=scenario.local,
    )
    victim = Victim(model, cross_entropy, defense, local=scenario.local)
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
    rows = []
    for image, label in enumerate(guess.labels):
        row = Row(
            image=image,
            defense=column.defense,
            adaptive=column.adaptive,
            attack=guess.attack,
            psnr=None,
            ssim=None,
            lpips=None,
            iterations=guess.iterations,
            stopped=guess.stopped,
            label_found=int(label),
            evaluations=meter.gradients // scenario.batch,
            practice=adversary.practice // scenario.batch,
            wire_bytes=release.wire_bytes,
        )
        if guess.note:
            row["note"] = guess.note
        rows.append(row)
    unknown = {s: NOTHING.document() for s in SCORES}
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = digest(own)
    facts["command"] = f"{command_line(scenario)} --observation {shlex.quote(str(seen.path))}"
    return Record(
        OBSERVATION,
        seen.document(),
        rows,
        {column.key: unknown},
        {},
        {scenario.defense: guarantee(defense, scenario.delta)},
        facts,
        {column.key: torch.clone(guess.images)},
    )


def headline(record: Record) -> str:
    """What was recovered, in one line."""
    found = ", ".join(str(row["label_found"]) for row in record.rows)
    name, attack = record.scenario["observation"], record.rows[0]["attack"]
    text = f"{name}: {attack} recovered {len(record.rows)} image(s), labels {found}; unscored"
    cut = any(row["stopped"] == "time" for row in record.rows)
    return f"{text}\n{CUT}" if cut else text
