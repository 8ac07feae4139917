"""``python -m attacks.invert``: attack a defense, score the guesses, draw them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from attacks.invert.command import PROG, parse, run, scenario
from reports.commands.entry import run_command
from reports.commands.flags import chosen_device
from reports.commands.keep import result_paths, run_or_reuse


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, print, draw. Returns the exit code."""
    arguments = parse(argv)
    warnings.filterwarnings("ignore", message="TF32 acceleration")
    from attacks.invert import show
    from attacks.invert.images import content
    from attacks.invert.observation import show as explained
    from attacks.invert.observation import study as observed
    from attacks.invert.observation.scenario import Observed
    from reports.commands.claim import probe
    from victims.gradients.memory import keep_memory

    chosen_device(arguments.device)
    if arguments.out is not None:
        probe(arguments.out)  # a step of a run has to be reached before its Scenario is known
    asked = scenario(arguments)
    keep_memory()
    figures = (show.FIGURE,)
    if asked.budget is not None:
        print(show.TIMED, file=sys.stderr)
    if arguments.observation is not None:
        seen = Observed.of(
            asked,
            arguments.observation,
            arguments.truth or (),
            train_mode=arguments.train_mode,
            eval_mode=arguments.eval_mode,
            noises=arguments.noises,
            kept_momentum=arguments.kept_momentum,
        )
        record, out = run_or_reuse(
            arguments, seen, "invert", observed.run, show.draw, figures, observed.content
        )
        print(explained.headline(record))
    else:
        record, out = run_or_reuse(arguments, asked, "invert", run, show.draw, figures, content)
        print(show.table(record))
    print(f"\n{result_paths(out, figures)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, "")  # so that pkg.module:Class finds the user's own files
    run_command(main, PROG)
