"""``python -m attacks.invert``: attack a defense, score the guesses, draw them."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacks.flags import Parser, add_options, chosen_device, command, given_options

PROG = "python -m attacks.invert"
RUNS_OWN = {"--data", "--size", "--model", "--state", "--defense", "--epsilon", "--observation"}
"""Flags that a training run has settled."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command, of the chosen defense and of the chosen attack."""
    import defenses
    from attacks import invert
    from attacks.scenario import Scenario
    from victims import model_names

    start = Scenario()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--defense", default=start.defense)
    first.add_argument("--attack", default=start.attack)
    chosen, _ = first.parse_known_args(argv)

    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    known = ", ".join(defenses.names())
    add("--defense", default=start.defense, help=f"{known}, or pkg.module:Class (default dprs)")
    add(
        "--against",
        nargs="*",
        default=list(start.against),
        metavar="NAME",
        help="defenses shown beside it at the same options (default none dpsgd)",
    )
    add("--attack", default=start.attack, help=f"{', '.join(invert.names())} (default auto)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--naive",
        dest="columns",
        action="store_const",
        const="naive",
        default="both",
        help="only the attacker who ignores the defense",
    )
    who.add_argument(
        "--adaptive",
        dest="columns",
        action="store_const",
        const="adaptive",
        help="only the attacker who replays the defense (default: both columns)",
    )
    add(
        "--data",
        default=start.data,
        help="photos, digits, mnist, fashion-mnist, cifar10, "
        "cifar100, svhn, folder:PATH or pkg.module:callable (default photos)",
    )
    add("--data-root", help="where sets lie (default $LEAKGAUGE_DATA, else ~/.cache/leakgauge)")
    add("--images", type=int, default=start.images, help="private images attacked (default 4)")
    add("--size", type=int, help="image edge for photos and folder:")
    add("--batch", type=int, default=start.batch, help="examples per update (default 1)")
    add(
        "--model",
        default=start.model,
        help=f"{', '.join(model_names())} or pkg.module:callable (default lenet)",
    )
    add(
        "--state",
        default=start.state,
        metavar="FILE.safetensors",
        help="trained weights (default untrained)",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="RUN",
        help="attack a run of victims.train on its own members, with its defense and weights",
    )
    add("--step", type=int, default=0, help="of that run (default 0, before the first step)")
    add("--labels-known", action="store_true", help="tell the attacker the labels")
    add("--epsilon", type=float, help="set the noise so that one release spends this epsilon")
    add("--delta", type=float, default=start.delta, help="of the guarantee (default 1e-5)")
    add(
        "--budget",
        type=float,
        default=start.budget,
        help="attacker's seconds per image (default 10)",
    )
    add(
        "--observation",
        type=Path,
        metavar="FILE.safetensors",
        help="attack this captured update of the model instead of making one",
    )
    add("--seed", type=int, default=start.seed, help="of everything random (default 0)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--out", type=Path, help="folder of the results (default runs/invert-HASH)")
    add("--fresh", action="store_true", help="run again even where a result lies")
    add_options(parser, defenses.registry.find(chosen.defense), "defense", chosen.defense)
    add_options(parser, invert.registry.find(chosen.attack), "attack", chosen.attack)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, print, draw. Returns the exit code."""
    arguments = parse(argv)
    warnings.filterwarnings("ignore", message="TF32 acceleration")
    from attacks.invert import observed, show, trained
    from attacks.progress import Progress
    from attacks.scenario import Scenario
    from defenses import BadInput

    device = chosen_device(arguments.device)
    fields: dict[str, Any] = {
        "data": arguments.data,
        "images": arguments.images if arguments.observation is None else arguments.batch,
        "size": arguments.size,
        "batch": arguments.batch,
        "model": arguments.model,
        "state": arguments.state,
        "defense": arguments.defense,
        "defense_options": given_options(arguments, "defense"),
        "against": tuple(arguments.against),
        "attack": arguments.attack,
        "attack_options": given_options(arguments, "attack"),
        "columns": arguments.columns,
        "labels_known": arguments.labels_known,
        "epsilon": arguments.epsilon,
        "delta": arguments.delta,
        "budget": arguments.budget,
        "seed": arguments.seed,
    }
    if arguments.checkpoint is not None:
        own = sorted(_flags(argv) & RUNS_OWN)
        if own:
            raise BadInput(f"{own[0]} comes from the run when --checkpoint is given")
        with Progress("reaching the step: ") as bar:
            place = {"device": device, "data_root": arguments.data_root, "report": bar}
            run = trained.fields_at(arguments.checkpoint, arguments.step, **place)
        if "--against" in _flags(argv):
            run["against"] = tuple(arguments.against)
        fields |= run
    scenario = Scenario(**fields)
    out = arguments.out or Path("runs") / f"invert-{scenario.key()}"
    context = {"device": device, "data_root": arguments.data_root}
    if arguments.observation is not None:
        return observed.observed(scenario, arguments.observation, out, **context)
    return show.attacked(scenario, out, fresh=arguments.fresh, **context)


def _flags(argv: Sequence[str] | None) -> set[str]:
    words = sys.argv[1:] if argv is None else argv
    return {w.split("=")[0] for w in words if w.startswith("--")}


if __name__ == "__main__":
    sys.path.insert(0, "")  # so that pkg.module:Class finds the user's own files
    command(main, PROG)
