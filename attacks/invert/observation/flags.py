"""The flags of an attack on a captured update, and those that such an attack has no use for."""

from __future__ import annotations

import argparse
from pathlib import Path

from defenses import BadInput

NOISES = 19
"""So many updates of noise are attacked for comparison: noise passes in 1 of 20 cases at most."""
ONLY_CAPTURED = ("truth", "train_mode", "eval_mode", "noises", "kept_momentum")
"""Flags that say something of a captured update alone."""
ONLY_MADE = {
    "images": "the update is of --batch images",
    "against": "one update is of one defense",
    "moments": "the update is of the step at which it was captured",
    "batch_norm": "say --train-mode",
    "labels_known": "nobody told the labels of a captured update",
}
"""Flags that say something of an update that this command makes, and why not of a captured one."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--observation`` and what goes with it."""
    add = parser.add_argument_group("an update captured elsewhere").add_argument
    text = "attack this captured update of the model instead of making one; of several rounds of "
    text += "one client on the same images, each with its weights, a file each"
    add("--observation", type=Path, nargs="+", metavar="FILE.safetensors", help=text)
    text = "the private pictures, in any order: the guesses are scored by them"
    add("--truth", type=Path, nargs="+", metavar="PICTURE", help=text)
    text = "the update was made in training mode: BatchNorm normalised by the client's batch"
    add("--train-mode", action="store_true", help=text)
    text = "it was made in eval mode, which is assumed without either"
    add("--eval-mode", action="store_true", help=text)
    text = "updates of noise that are attacked for comparison, briefly: noise is called something "
    text += f"else in 1 of N + 1 cases; 0: none, and no verdict (default {NOISES})"
    add("--noises", type=int, default=NOISES, metavar="N", help=text)
    text = "momentum of a client whose optimizer outlives a round; the files are then of rounds "
    text += "that follow one another, of one step each (default 0)"
    add("--kept-momentum", type=float, default=0.0, metavar="M", help=text)


def refuse_ignored(arguments: argparse.Namespace) -> None:
    """Raise `BadInput` for a flag that would be passed over, with the reason why."""
    given = {name.replace("-", "_") for name in arguments.given}
    if arguments.observation is None:
        if without := sorted(given & set(ONLY_CAPTURED)):
            flag = without[0].replace("_", "-")
            raise BadInput(f"--{flag} is of a captured update: give --observation too")
        return
    for name, why in ONLY_MADE.items():
        if name in given:
            flag = name.replace("_", "-")
            raise BadInput(f"--{flag} says nothing of --observation: {why}")
    if arguments.train_mode and arguments.eval_mode:
        raise BadInput("give --train-mode or --eval-mode, not both")
    if arguments.noises < 0:
        raise BadInput(f"noises is {arguments.noises}; it must be >= 0")
