"""What every command of membership does with its flags: the Record found or made, and printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from attacks.membership.show import FIGURES, draw, table
from reports.commands.keep import result_paths, run_or_reuse
from reports.records import Record
from reports.records.keyed import Keyed


def answer(
    arguments: argparse.Namespace,
    scenario: Keyed,
    name: str,
    run: Callable[..., Record],
    content: Callable[[Any, str | None], str],
    *,
    first: Callable[[Record], str] | None = None,
) -> int:
    """Run a Scenario or find its Record, draw and print it. Returns the exit code.

    Args:
        arguments: see `reports.commands.keep.run_or_reuse`, as the four that follow.
        scenario: what is run.
        name: of the command after ``attacks.``.
        run: makes the Record of a Scenario.
        content: digest of the data that it sees.
        first: what is printed before the table; None: nothing.
    """
    record, out = run_or_reuse(arguments, scenario, name, run, draw, FIGURES, content)
    if first is not None:
        print(first(record))
    print(table(record))
    print(f"\n{result_paths(out, FIGURES)}")
    return 0
