"""Which exact attack rebuilds images of the adversary's own."""

from __future__ import annotations

import math

from attacks.invert.contract import Inversion
from attacks.invert.practice.practice import Practice

REBUILT = math.log(1e-3)
"""Log squared error of an own image below which an exact attack has shown that it works: 30 dB."""
CLOSER = math.log(2)
"""By how much the log squared error of peeling must fall below guessing's, 3 dB, so that matching
features takes the place of matching gradients."""
PARTLY = ("peel",)
"""Attacks that are of use where they rebuild images in part."""


def rebuilder(
    practice: Practice,
    exact: tuple[Inversion, ...],
    blind: Inversion,
    briefly: tuple[str, ...] = (),
) -> tuple[Inversion | None, bool]:
    """The exact attack that rebuilds own images, and whether it does so in full; None: none does.

    Peeling does so in part where it comes closer than guessing by `CLOSER`.

    Args:
        practice: its batches and time.
        exact: the attacks, in the order in which they are tried.
        blind: guesses without the image.
        briefly: names of those that are expected to fail, and have no more than any optimiser.
    """
    size, partly = practice.threat.batch_size, None
    for trial in exact:
        if trial.name in briefly:
            error = practice.error_of_brief(trial, practice.own[0], practice.clock)
        else:
            error = practice.error_of_whole(trial)
        if error < REBUILT * size:
            return trial, True
        if trial.name in PARTLY:
            guessed = practice.error_of_brief(blind, practice.own[0], practice.clock)
            partly = trial if error < guessed - CLOSER * size else partly
    return partly, False
