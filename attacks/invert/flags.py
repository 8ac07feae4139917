"""The flags of attacks.invert: whom to attack, how, and with what."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from attacks.invert.observation.flags import add_flags
from attacks.invert.scenario import BATCH_NORMS, Scenario
from reports.commands.flags import (
    Parser,
    add_options,
    add_run_flags,
    given_flags,
)
from reports.commands.parsers import once_per_choice

PROG = "python -m attacks.invert"
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
    _add_attackers(flags, start, chosen.defense)
    _add_victim(flags, start)
    _add_steps(flags, start)
    _add_limits(flags, start)
    add_flags(flags)
    add_run_flags(flags, "invert")
    add_options(flags, defenses.registry, "defense", chosen.defense)
    add_options(flags, invert.registry, "attack", chosen.attack)
    return flags


def _add_attackers(parser: Parser, start: Scenario, defense: str) -> None:
    """Who attacks what: the defenses, the attack, and what it knows of the defense."""
    import defenses
    from attacks import invert

    add = parser.add_argument
    known = ", ".join(defenses.names())
    add("--defense", default=start.defense, help=f"{known}, or pkg.module:Class (default dprs)")
    # Whoever asks for no defense asks for no other either.
    beside = [] if defense == "none" else list(start.against)
    text = "defenses attacked beside it at the same options (default none dpsgd; of none: no other)"
    add("--against", nargs="*", default=beside, metavar="NAME", help=text)
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
