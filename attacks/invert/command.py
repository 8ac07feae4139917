"""Translates the command line of attacks.invert into a Scenario, and a Scenario back into it."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attacks.invert.flags import DESCRIPTION, PROG, parse, parser
from attacks.invert.observation.flags import refuse_ignored
from attacks.invert.scenario import Scenario
from defenses import BadInput
from defenses.foreign import code_in
from reports.commands.flags import (
    chosen_device,
    given_options,
    line,
)
from reports.commands.progress import Progress
from reports.records import Record
from victims.gradients import LocalSteps
from victims.gradients.local_steps import FACTS, MOMENTUM

SETTLED = {"data", "size", "model", "state", "defense", "epsilon", "observation"}
SETTLED |= {*FACTS, MOMENTUM}
"""Flags that a training run has settled, where one is given by ``--checkpoint``."""
SWEPT: Mapping[str, Sequence[str]] = {"against": ()}
"""What a flag is in a sweep that does not give it: there every defense has its own Scenario."""

__all__ = ["DESCRIPTION", "PROG", "SWEPT", "command_line", "parse", "parser", "run", "scenario"]


def scenario(arguments: argparse.Namespace) -> Scenario:
    """The Scenario that the flags say; one at a checkpoint trains there first.

    Raises:
        BadInput: no such Scenario; or flags that a run given by ``--checkpoint`` has settled.
    """
    fields: dict[str, Any] = {
        f.name: getattr(arguments, f.name)
        for f in dataclasses.fields(Scenario)
        if hasattr(arguments, f.name)
    }
    fields["against"] = tuple(arguments.against)
    fields["step"] = None
    for kind in ("defense", "attack"):
        fields[f"{kind}_options"] = given_options(arguments, kind)
    refuse_ignored(arguments)
    if arguments.observation is not None:
        fields |= _told_by(arguments, fields)
    if (local := LocalSteps.among(fields)) is not None and "batch" not in arguments.given:
        fields["batch"] = local.images
    if arguments.observation is not None:
        fields["images"] = fields["batch"]
    if arguments.checkpoint is None and "step" in arguments.given:
        raise BadInput("--step is of a run of victims.train: give --checkpoint too")
    if arguments.checkpoint is not None:
        from attacks.invert import checkpoint

        settled = sorted(arguments.given & SETTLED)
        if settled:
            raise BadInput(f"--{settled[0]} comes from the run when --checkpoint is given")
        with Progress("reaching the step: ") as bar:
            place = {"device": chosen_device(arguments.device), "data_root": arguments.data_root}
            reached = checkpoint.fields_at(
                arguments.checkpoint, arguments.step, code=arguments.code, report=bar, **place
            )
        if "against" in arguments.given:
            reached["against"] = tuple(arguments.against)
        fields |= reached
    fields["state_sha256"] = _digest(fields["state"])
    return check(Scenario(**fields))


def _told_by(arguments: argparse.Namespace, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the file of a captured update settles: facts, and weights beside it."""
    from attacks.invert.observation.load import agree_on_facts
    from victims.gradients.captured import BATCH, holds_weights

    path = arguments.observation[0]
    known = {name: fields[name] for name in (*FACTS, MOMENTUM)}
    known[BATCH] = fields["batch"] if "batch" in arguments.given else None
    found = agree_on_facts(path, known)
    for later in arguments.observation[1:]:
        agree_on_facts(later, found)
    if found[BATCH] is None:
        found[BATCH] = fields["batch"]
    if "state" not in arguments.given and holds_weights(path):
        found["state"] = str(path)
    return found


def _digest(state: str) -> str | None:
    if state == "untrained":
        return None
    try:
        with open(state, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"--state {state}: {error.strerror}") from error


def check(scenario: Scenario) -> Scenario:
    """The Scenario, once its names and options are known to exist; they cost nothing to try.

    Raises:
        BadInput: unknown defense, attack or option, or an option outside its range.
    """
    from attacks import invert
    from attacks.invert.under_defenses import build_defenses

    build_defenses(scenario)
    attack = invert.get(scenario.attack, **scenario.attack_options)
    if attack.threat != scenario.threat:
        raise BadInput(
            f"attack {scenario.attack!r} is of a server that is {attack.threat}, not "
            f"{scenario.threat}: give --threat {attack.threat}, or another --attack"
        )
    return scenario


def command_line(scenario: Scenario, **flags: Any) -> str:
    """The command that runs this Scenario again, with the flags that are not at their default.

    Args:
        scenario: to run again.
        **flags: what other flags than a Scenario's say, and what is said of it otherwise.
    """
    values = {f.name: getattr(scenario, f.name) for f in dataclasses.fields(Scenario)}
    values["against"] = list(scenario.against)
    for kind in ("defense", "attack"):
        values |= {f"{kind}.{k}": v for k, v in values.pop(f"{kind}_options").items()}
    if scenario.step is None:
        del values["step"]
    else:  # all else that the run has settled is left to it
        settled = SETTLED | {"delta", "seed"}
        values = {k: v for k, v in values.items() if k.split(".")[0] not in settled}
        values["checkpoint"] = Path(scenario.state).parent.parent
        values["code"] = list(code_in(scenario.document()))
        if not scenario.against:
            del values["against"]
    chosen = ["--defense", scenario.defense, "--attack", scenario.attack]
    return line(PROG, parser(chosen), values | flags)


def run(scenario: Scenario, *, out: Path | None = None, **context: Any) -> Record:
    """Run a Scenario, see `attacks.run`."""
    from attacks.invert.study import study
    from reports.commands.origins import run_study

    return run_study(scenario, study, command_line, out=out, **context)
