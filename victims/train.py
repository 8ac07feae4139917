"""``python -m victims.train``: train a victim under a defense, watch what it spends and learns."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attacks.flags import Parser, add_options, chosen_device, command, given_options, line

if TYPE_CHECKING:
    from reports.records import Record
    from victims.preparing import Report
    from victims.training import Training

PROG = "python -m victims.train"
EPSILON = 3.0


SWEPT: dict[str, Any] = {}
"""Flags that a sweep sets otherwise than a run: none."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command and of the chosen defense."""
    return parser(argv).parse_args(argv)


def parser(argv: Sequence[str] | None) -> Parser:
    """The parser for the defense that ``argv`` chooses."""
    import defenses
    from victims.models import model_names
    from victims.training import CHOICES, Training

    start = Training()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--defense", default=start.defense)
    chosen, _ = first.parse_known_args(argv)
    made = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = made.add_argument

    def plain(name: str, text: str, kind: Any = None) -> None:
        default = getattr(start, name)
        known = CHOICES.get(name)
        text += f" ({', '.join(known)})" if known else ""
        text += "" if default is None else f" (default {default})"
        flag = "--" + name.replace("_", "-")
        add(flag, type=kind or type(default), default=default, choices=known, help=text)

    plain("defense", f"{', '.join(defenses.names())}, or pkg.module:Class")
    plain(
        "data", "photos, digits, mnist, fashion-mnist, cifar10, folder:PATH or pkg.module:callable"
    )
    add("--data-root", help="where sets lie (default $LEAKGAUGE_DATA, else ~/.cache/leakgauge)")
    plain("count", "private examples, chosen with the seed (default: all)", int)
    plain("size", "image edge for photos and folder:", int)
    plain("model", f"{', '.join(model_names())} or pkg.module:callable")
    plain("weights", "safetensors file to start from; what it spent on this data is counted")
    plain("layers", "what is trained")
    plain("epochs", "an epoch is 1 / sample rate steps")
    plain("batch_size", "expected examples per step; the public divisor")
    plain("lr", "learning rate at its highest")
    plain("momentum", "of SGD, in [0, 1)")
    plain("weight_decay", "L2 penalty in the optimiser")
    plain("optimizer", "of the released updates")
    plain("schedule", "of the learning rate")
    plain("warmup", "steps over which the learning rate first grows")
    plain("views", "augmented views per example, averaged before clipping")
    plain("average", "decay of the moving average of the weights that is evaluated; 0: none")
    plain("sampling", "of batches; shuffle is not what the accountants assume")
    plain(
        "epsilon",
        "sets the noise; with --noise-multiplier, the budget that ends the run "
        f"(default {EPSILON:g} where neither is given and the defense has a guarantee)",
        float,
    )
    plain("delta", "of the guarantee")
    plain("accountant", "of the spent epsilon")
    plain("public", "data that is not private, for defenses that learn from it", str)
    plain("anchors", "how many examples of it")
    plain("seed", "of everything random")
    add(
        "--record-every",
        type=int,
        default=0,
        help="keep the releases of chosen examples every so many steps",
    )
    add("--record-images", type=int, default=8, help="how many private examples (default 8)")
    add("--keep", type=int, default=10, help="checkpoints kept besides the latest (default 10)")
    add(
        "--save-seconds",
        type=float,
        default=60.0,
        help="a checkpoint at least so often (default 60)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--out", type=Path, help="folder of the run (default runs/train-HASH)")
    add("--fresh", action="store_true", help="train again even where a run lies")
    add_options(made, defenses.registry.find(chosen.defense), "defense", chosen.defense)
    return made


def job(arguments: argparse.Namespace) -> Training:
    """The Training that the flags say.

    Raises:
        BadInput: no such Training, or an unknown defense or option.
    """
    import defenses
    from victims.training import Training

    given: dict[str, Any] = {
        f.name: getattr(arguments, f.name, None) for f in dataclasses.fields(Training)
    }
    given["defense_options"] = given_options(arguments, "defense")
    shield = defenses.get(arguments.defense, **given["defense_options"])
    if given["epsilon"] is None and "noise_multiplier" not in given["defense_options"]:
        given["epsilon"] = EPSILON if defenses.with_effective_noise(shield, 1.0) else None
    return Training(**given)


def command_line(training: Training) -> str:
    """The command that trains this again, with the flags that are not at their default."""
    values = {f.name: getattr(training, f.name) for f in dataclasses.fields(training)}
    values |= {f"defense.{k}": v for k, v in values.pop("defense_options").items()}
    return line(PROG, parser(["--defense", training.defense]), values)


def perform(
    training: Training,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda text, done, total: None,
) -> Record:
    """Train to the end, from the last checkpoint in ``out`` where there is one.

    Returns:
        The Record; the weights lie in ``out/weights.safetensors``.

    Raises:
        BadInput: before anything is written.
        victims.runs.Stopped: a gradient was not finite.
    """
    from victims import preparing, runs
    from victims.export import write_weights
    from victims.outcome import record_of

    prepared = preparing.prepare(training, device=device, data_root=data_root, report=report)
    rows = list(runs.run(prepared, out, report=report))
    if out is not None:
        write_weights(prepared.trainer, out / "weights.safetensors")
    return record_of(prepared, rows, device, command_line(training))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, print a row per epoch, write the Record. Returns the exit code."""
    arguments = parse(argv)
    from attacks.progress import Progress
    from victims import preparing, recording, runs
    from victims.memory import keep_memory
    from victims.outcome import describe, finish, show

    device = chosen_device(arguments.device)
    keep_memory()
    training = job(arguments)
    out = arguments.out or Path("runs") / f"train-{training.key()}"
    try:
        with Progress() as bar:
            prepared = preparing.prepare(
                training, device=device, data_root=arguments.data_root, report=bar
            )
        if arguments.fresh:
            shutil.rmtree(out, ignore_errors=True)
        watch = recording.watcher(
            prepared, out / "releases", every=arguments.record_every, images=arguments.record_images
        )
        describe(prepared.trainer.plan)
        with Progress() as bar:
            rows = runs.run(
                prepared,
                out,
                keep=arguments.keep,
                save_seconds=arguments.save_seconds,
                report=bar,
                watch=watch,
            )
            done = [show(row) for row in rows]
    except runs.Stopped as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    for path in finish(prepared, done, out, device, command_line(training)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    command(main, PROG)
