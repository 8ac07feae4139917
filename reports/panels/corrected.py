"""What decides whether a gain is shown: its interval, corrected for all that is judged with it."""

from __future__ import annotations

from collections.abc import Sequence

from reports.estimates import Estimate, pool
from reports.estimates.counts import count_of
from reports.estimates.intervals import LEVEL
from reports.estimates.signs import FLIPS
from reports.panels.panel import Panel
from reports.panels.pooled import GAIN, PooledScores
from reports.panels.setting import ALPHA, Setting
from reports.panels.verdicts import looks_of, rounds_tried, rounds_unseen


def corrected_gain(setting: Setting, panel: Panel, attacker: str) -> Estimate:
    """PSNR above guessing in dB, with the interval that the verdict goes by.

    It lies above 0 where the gain is shown. Where it is not, it does so only if the signs of the
    images' gains fall short (`reports.panels.verdicts`).

    Args:
        setting: of the panel.
        panel: whose settings are judged together.
        attacker: who was run on the setting.
    """
    own = setting.scores[attacker]
    beside = _judged(panel.settings, attacker)
    tests = looks_of(panel.settings, attacker) * rounds_tried(setting)
    if setting.shows(GAIN, attacker):  # after Holm: those that show more are told already
        least = own.interval_p
        tests *= sum(other.interval_p >= least for other in beside)
    else:
        tests *= max(1, len(beside))
    return pool(own.gains, own.seeds, level=1 - (1 - LEVEL) / tests)


def why_not_shown(setting: Setting, panel: Panel, attacker: str) -> str:
    """Why a gain whose own interval lies above 0 is not shown, in words; else empty."""
    own = setting.scores[attacker]
    if not own.gain.low > 0 or setting.shows(GAIN, attacker):
        return ""
    units = own.gain.n
    signs = looks_of(panel.settings, attacker) * rounds_unseen(setting, attacker)
    if signs / min(2**units, FLIPS) >= ALPHA:
        return f"too few images ({units}) for so much at once ({together(setting, panel)})"
    found = corrected_gain(setting, panel, attacker)
    told = f"gain {found.show()} dB, with an interval for {together(setting, panel)} at once"
    if found.low > 0:
        tests = looks_of(panel.settings, attacker) * rounds_tried(setting)
        if own.interval_p * tests * len(_judged(panel.settings, attacker)) >= ALPHA:
            return f"{together(setting, panel)} are more at once than the draws tell apart"
        return f"{told}, but too many images gain nothing"
    return told


def together(setting: Setting, panel: Panel) -> str:
    """What a setting's intervals are corrected for, such as ``5 settings and 2 attackers``."""
    attackers = {name for one in panel.settings for name in one.scores}
    counts = [
        (len(panel.settings), "setting"),
        (rounds_tried(setting), "round"),
        (len(attackers), "attacker"),
    ]
    several = [count_of(count, what) for count, what in counts if count > 1]
    *first, last = several or ["the gain and the candidate game"]
    return f"{', '.join(first)} and {last}" if first else last


def _judged(settings: Sequence[Setting], attacker: str) -> list[PooledScores]:
    """The scores of this attacker that are enough to say whether there is a gain."""
    found = [one.scores[attacker] for one in settings if attacker in one.scores]
    return [one for one in found if one.is_enough]
