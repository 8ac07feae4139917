"""The positive control of an inversion: does the attack rebuild what nobody defends?

An attack that cannot rebuild an undefended update, that follows a wrong replay of the defense, or
that the clock cut short, says nothing of a defense: that nothing was found is then no evidence.
"""

from __future__ import annotations

import numpy as np

from reports.estimates.intervals import Values

REBUILT, NOT_REBUILT, NO_CONTROL = "rebuilt", "not rebuilt", "none"
UNDEFENDED = "none"
"""Name of the defense that does nothing."""
MARGIN = 1.0
"""A mean gain of less dB of PSNR above guessing is had by chance as easily."""
HALVED = 3.0
"""An image counts as rebuilt from so many dB of PSNR above guessing: half of the squared error.
An attack that is stopped early draws fog that is 1 dB better than guessing."""
CANNOT_JUDGE = "cannot be judged"
FAILED = "the undefended update was not rebuilt either"
MISSING = "no positive control: the undefended update was not attacked"
NAIVE = "only the naive attacker was run"
CLOCK = "the clock cut the attack short"
MISREPLAYED = "its replay does not give what it releases"


def control(psnr: Values, prior: Values) -> str:
    """`REBUILT`, `NOT_REBUILT` or, without scores, `NO_CONTROL`.

    Rebuilt means that at least half of the images came out `HALVED` dB closer than the best guess
    without the update. No test of significance: it is about these images, not about others.

    Args:
        psnr: (N,) dB, of the attack on undefended updates; NaN where there is none.
        prior: (N,) dB, of guessing the same images.
    """
    gains = np.asarray(psnr, dtype=float) - np.asarray(prior, dtype=float)
    known = gains[np.isfinite(gains)]
    if not len(known):
        return NO_CONTROL
    return REBUILT if (known >= HALVED).mean() >= 0.5 else NOT_REBUILT


def doubt(state: str, clocked: bool = False, naive: bool = False, misreplayed: bool = False) -> str:
    """Why finding nothing is no evidence, in words; empty where it is some.

    Args:
        state: of the control, see `control`.
        clocked: whether the clock cut the attack on the defended update short.
        naive: whether only the attacker who ignores the defense was run.
        misreplayed: whether the attacker follows a replay that does not explain made-up releases.
    """
    if state == NOT_REBUILT:
        return FAILED
    if state == NO_CONTROL:
        return MISSING
    if naive:
        return NAIVE
    if misreplayed:
        return MISREPLAYED
    return CLOCK if clocked else ""
