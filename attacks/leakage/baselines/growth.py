"""Whether a leak grew: two runs on the same images or examples, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from attacks.leakage.results.result import Units
from reports.estimates import Estimate
from reports.estimates.intervals import FEWEST
from reports.estimates.paired import ALPHA, paired_test
from reports.scores import SCORES

MARGINS = {"psnr": 0.1}
"""A smaller mean difference is no growth, however sure: machines and versions round apart."""
MARGIN = 0.005
"""Of leaks in [0, 1]."""


@dataclass(frozen=True)
class Growth:
    """One leak, before and after.

    Attributes:
        leak: the leak's name.
        before: mean over the units.
        after: mean over the same units.
        difference: ``after - before`` over pairs of one unit; ``n`` is 0 for a claim, which is
            exact.
        p: two-sided, of this leak alone.
        grew: whether ``p`` is below `reports.estimates.paired.ALPHA` and the leak larger by more
            than its margin. A change that leaks no more is called one in one case of forty at most.
    """

    leak: str
    before: float
    after: float
    difference: Estimate
    p: float
    grew: bool

    def __str__(self) -> str:
        text = f"{self.leak}: {self.before:.4g} -> {self.after:.4g}"
        if not self.difference.n:
            return text
        return f"{text}, {self.change()} over {self.difference.n} pairs, p = {self.p:.2g}"

    def change(self) -> str:
        """``+4.59 [+3.1, +6.0]``."""
        return self.difference.format("+.3g")


def compare(before: Mapping[str, Units], after: Mapping[str, Units]) -> list[Growth]:
    """Every leak that both runs have, by `reports.estimates.paired_test`.

    Args:
        before: leak -> unit -> value; as `Result.units` has them.
        after: the same units. What stands before a ``/`` in their names is their seed: images of
            one seed are not taken for independent of each other.

    Raises:
        ValueError: a leak but LPIPS is missing, other units, or fewer than `FEWEST`; one line.
    """
    # LPIPS needs weights that not every machine has; all else is always there.
    names = [name for name in before if name in after or name != "lpips"]
    lost = [name for name in names if name not in after]
    if lost or not names:
        has = ", ".join(after)
        raise ValueError(f"it is of {', '.join(lost) or 'nothing'}; this run measured {has}")
    found = []
    for name in names:
        if before[name].keys() != after[name].keys():
            raise ValueError(f"its {name} is of other images or examples")
        keys = sorted(before[name])
        if len(keys) < FEWEST:
            raise ValueError(f"{len(keys)} are too few to show a growth: it takes {FEWEST}")
        old = np.array([before[name][k] for k in keys])
        new = np.array([after[name][k] for k in keys])
        seeds = np.unique([k.rpartition("/")[0] for k in keys], return_inverse=True)[1]
        gap, p = paired_test(new - old, seeds)
        closer = SCORES[name].closer(gap.mean) if name in SCORES else gap.mean
        larger = closer > MARGINS.get(name, MARGIN)
        found.append(
            Growth(
                leak=name,
                before=float(old.mean()),
                after=float(new.mean()),
                difference=gap,
                p=p,
                grew=larger and p < ALPHA,
            )
        )
    return found
