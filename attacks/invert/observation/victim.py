"""The victim of a captured update, as the flags tell of it, and the update as its release."""

from __future__ import annotations

import dataclasses
import sys

from torch.nn.functional import cross_entropy

from attacks.invert.images import image_shape
from attacks.invert.modes import mode_warning, training_copy
from attacks.invert.observation.load import load_observation
from attacks.invert.observation.rounds import JOINED
from attacks.invert.observation.scenario import Observed
from attacks.invert.observation.velocity import Round, begins, gradients_of
from attacks.invert.under_defenses import build_defenses, load_model_under
from attacks.invert.victim import Victim
from defenses import BadInput, Release
from victims.data import Data
from victims.gradients import LocalSteps
from victims.gradients.captured import holds_weights


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
        model = training_copy(model, shape, scenario.batch if local is None else local.batch)
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
