"""``python -m attacks.invert``: attack a defense, score the guesses, draw them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from attacks.flags import chosen_device, command
from attacks.invert.command import PROG, job, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, print, draw. Returns the exit code."""
    arguments = parse(argv)
    warnings.filterwarnings("ignore", message="TF32 acceleration")
    from attacks.invert import observed, show

    device = chosen_device(arguments.device)
    scenario = job(arguments)
    out = arguments.out or Path("runs") / f"invert-{scenario.key()}"
    context = {"device": device, "data_root": arguments.data_root}
    if arguments.observation is not None:
        return observed.observed(scenario, arguments.observation, out, **context)
    return show.attacked(scenario, out, fresh=arguments.fresh, **context)


if __name__ == "__main__":
    sys.path.insert(0, "")  # so that pkg.module:Class finds the user's own files
    command(main, PROG)
