"""Translates the command line of attacks.invert into a Scenario, and a Scenario back into it."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attacks.invert.observation.flags import add_flags, refuse_ignored
from attacks.invert.scenario import BATCH_NORMS, Scenario
from defenses import BadInput
from defenses.foreign import code_in
from reports.commands.flags import (
    Parser,
    add_options,
    add_run_flags,
    chosen_device,
    given_flags,
    given_options,
    line,
)
from reports.commands.parsers import once_per_choice
from reports.commands.progress import Progress
from reports.records import Record
from victims.gradients import LocalSteps
from victims.gradients.local_steps import FACTS, MOMENTUM

PROG = "python -m attacks.invert"
SETTLED = {"data", "size", "model", "state", "defense", "epsilon", "observation"}
SETTLED |= {*FACTS, MOMENTUM}
"""Flags that a training run has settled, where one is given by ``--checkpoint``."""
SWEPT: Mapping[str, Sequence[str]] = {"against": ()}
"""What a flag is in a sweep that does not give it: there every defense has its own Scenario."""
DESCRIPTION = "Attack a defense, score the guesses, draw them."


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the chosen defense and of the chosen attack."""
    parsed = parser(argv).parse_args(argv)
    parsed.given = given_flags(sys.argv[1:] if argv is None else argv)
    return parsed


@once_per_choice
def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the defense and the attack that ``argv`` chooses."""
    import defenses
    from attacks import invert

    start = Scenario()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--defense", default=start.defense)
    first.add_argument("--attack", default=start.attack)
    chosen, _ = first.parse_known_args(argv)

    flags = Parser(prog=PROG, description=DESCRIPTION, allow_abbrev=False)
    _add_attackers(flags, start)
    _add_victim(flags, start)
    _add_steps(flags, start)
    _add_limits(flags, start)
    add_flags(flags)
    add_run_flags(flags, "invert")
    add_options(flags, defenses.registry.find(chosen.defense), "defense", chosen.defense)
    add_options(flags, invert.registry.find(chosen.attack), "attack", chosen.attack)
    return flags


def _add_attackers(parser: Parser, start: Scenario) -> None:
    """Who attacks what: the defenses, the attack, and what it knows of the defense."""
    import defenses
    from attacks import invert

    add = parser.add_argument
    known = ", ".join(defenses.names())
    add("--defense", default=start.defense, help=f"{known}, or pkg.module:Class (default dprs)")
    text = "defenses shown beside it at the same options (default none dpsgd)"
    add("--against", nargs="*", default=list(start.against), metavar="NAME", help=text)
    add("--attack", default=start.attack, help=f"{', '.join(invert.names())} (default auto)")
    add = parser.add_mutually_exclusive_group().add_argument
    text = "only the attacker who ignores the defense"
    add("--naive", action="store_const", dest="columns", const="naive", default="both", help=text)
    text = "only the attacker who replays the defense (default: both columns)"
    add("--adaptive", action="store_const", dest="columns", const="adaptive", help=text)


def _add_victim(parser: Parser, start: Scenario) -> None:
    """Whom they attack: images and a model."""
    from victims import model_names

    add = parser.add_argument
    text = "photos, digits, mnist, fashion-mnist, cifar10, cifar100, svhn, folder:PATH or "
    add("--data", default=start.data, help=f"{text}pkg.module:callable (default photos)")
    add("--images", type=int, default=start.images, help="private images attacked (default 8)")
    add("--size", type=int, help="image edge for photos and folder:")
    text = "examples per update (default 1; of local steps: steps times examples in each)"
    add("--batch", type=int, default=start.batch, help=text)
    text = "participants who have equal parts of the batch; the server sees the mean of their "
    text += "updates alone (default 1)"
    secure = start.secure_aggregation
    add("--secure-aggregation", type=int, default=secure, metavar="N", help=text)
    text = "the client takes so many steps of SGD and releases the difference of its weights"
    add("--local-steps", type=int, metavar="K", help=text)
    add("--local-lr", type=float, metavar="LR", help="learning rate of the local steps")
    add("--local-batch", type=int, metavar="B", help="examples in each local step")
    add("--local-momentum", type=float, metavar="M", help="of the local steps (default none)")
    text = "statistics that batch normalisation goes by: running (default), batch, or released, "
    text += "the batch's own sent beside the update"
    add("--batch-norm", default=start.batch_norm, metavar="|".join(BATCH_NORMS), help=text)
    text = f"{', '.join(model_names())} or pkg.module:callable (default lenet)"
    add("--model", default=start.model, help=text)
    text = "trained weights (default untrained)"
    add("--state", default=start.state, metavar="FILE.safetensors", help=text)


def _add_steps(parser: Parser, start: Scenario) -> None:
    """At which step: of a training run that is there, or of a nominal one."""
    add = parser.add_argument
    text = "attack a run of victims.train on its own members, with its defense and weights"
    add("--checkpoint", type=Path, metavar="RUN", help=text)
    add("--step", type=int, default=0, help="of that run (default 0, before the first step)")
    text = "steps of a run, first to last, at which a scheduled defense is attacked; the worst "
    add("--moments", type=int, default=start.moments, help=f"{text}counts (default 3)")
    text = "code of that run that may be imported"
    add("--code", nargs="+", default=[], metavar="SPEC", help=text)


def _add_limits(parser: Parser, start: Scenario) -> None:
    """How much is known, promised and spent."""
    add = parser.add_argument
    text = "of the server: honest, or malicious, which sends a model of its own (default honest)"
    add("--threat", default=start.threat, metavar="honest|malicious", help=text)
    add("--labels-known", action="store_true", help="tell the attacker the labels")
    text = f"of the candidate game; 1: it is not played (default {start.candidates})"
    add("--candidates", type=int, default=start.candidates, metavar="N", help=text)
    add("--epsilon", type=float, help="set the noise so that one release spends this epsilon")
    add("--delta", type=float, default=start.delta, help="of the guarantee (default 1e-5)")
    text = "gradient evaluations per image (default: as the attack's own options say)"
    add("--evaluations", type=int, help=text)
    text = "a guard: seconds per image over all that an attacker does; what it cuts short depends "
    text += "on the machine (default: none)"
    add("--budget", type=float, metavar="SECONDS", help=text)
    add("--seed", type=int, default=start.seed, help="of everything random (default 0)")


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
    from victims.gradients.seen import BATCH, holds_weights

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
    from attacks.invert.load import build_defenses

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
    from reports.commands.origins import note

    record = note(scenario.document(), lambda: study(scenario, out=out, **context))
    record.environment["command"] = command_line(scenario)
    return record
