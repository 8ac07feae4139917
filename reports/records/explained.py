"""How much of a captured update a guess explains, and what that says, as a Record holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from reports.records.form import Count, Share

NOT_RECOVERED = "not recovered"
PARTLY = "explains part of the update"
EXPLAINED = "explains the update"
UNDETERMINED = "explains the update, as other images do"
CANNOT_JUDGE = "cannot be judged"
DARK = 20
"""A guess in the dark is called something else in 1 of so many cases, where so many are tried."""


class Explained(TypedDict):
    """The share of an update's squares that a guess explains, and what guesses in the dark do.

    Shares are at the best scale: squared cosines of what the images would have caused and of what
    was observed, in [0, 1].

    Attributes:
        guess: the guess's share.
        left: root of the share that the guess leaves at its own scale, at most 1.
        all_but_noise: whether that is no more than the noise that the defense states, or than
            arithmetic's own.
        determined: whether the update has at least as many values as the images.
        rivals: how many public guesses leave no more than that noise either.
        looked: whether the attack looked at the update at all.
        public: the shares of public images under the labels that were found, one a guess.
        short: the share of a short attack on the update; None where none was run.
        noise: those of the same attack on updates of the same values with signs at random.
        lent: where it is true, that noise was attacked with labels that were found in the update.
    """

    guess: Share
    left: Share
    all_but_noise: bool
    determined: bool
    rivals: Count
    looked: bool
    public: list[Share]
    short: Share | None
    noise: list[Share]
    lent: NotRequired[bool]


def verdict(found: Mapping[str, Any]) -> str:
    """What an `Explained` says, one of the five constants above.

    *Not recovered* unless the guess explains more than nearly every public image (`_most`: one of
    them may be the private one), and a short attack more of the update than of every noise: an
    update of noise is called anything else in at most 1 of ``len(noise) + 1`` cases, unless labels
    were lent to it, and a guess made without looking in `_most` of ``len(public) + 1``.
    """
    if not found["looked"]:
        return NOT_RECOVERED
    if sum(share >= found["guess"] for share in found["public"]) >= _most(found):
        return NOT_RECOVERED
    if found["noise"] and found["short"] <= max(found["noise"]):
        return NOT_RECOVERED
    if not found["public"] or not found["noise"]:
        return CANNOT_JUDGE
    if not found["all_but_noise"]:
        return PARTLY
    return EXPLAINED if found["determined"] and not found["rivals"] else UNDETERMINED


def _most(found: Mapping[str, Any]) -> int:
    """By how many public guesses a guess may not be matched, at least 1."""
    return max(1, (len(found["public"]) + 1) // DARK)


def sentences(found: Mapping[str, Any]) -> str:
    """An `Explained` in two lines: the numbers, and the verdict with its rate of false alarms."""
    parts = [f"the guess explains {found['guess']:.2%} of the update"]
    if found["public"]:
        parts.append(
            f"the best of {len(found['public'])} public guesses {max(found['public']):.2%}"
        )
    if found["noise"]:
        parts.append(
            f"a short attack {found['short']:.2%} of it, and at most {max(found['noise']):.2%} of "
            f"{len(found['noise'])} updates of the same values with random signs"
        )
    text, said = "; ".join(parts), verdict(found)
    if said == CANNOT_JUDGE:
        missing = "no public images" if not found["public"] else "no noise (--noises 0)"
        return f"{text}\n{said}: there was {missing} to compare with"
    why = "" if found["looked"] else " (the guess was made without the update)"
    alarm = _false_alarms(found)
    return f"{text}\n{said}{why}{_caution(found, said)}{f'; {alarm}' if alarm else ''}"


def _false_alarms(found: Mapping[str, Any]) -> str:
    """How often a verdict is too kind to a guess, in words; empty where nothing was compared."""
    told = []
    if found["noise"]:
        often = f"of {len(found['noise']) + 1} updates that are only noise at most 1 is"
        if found.get("lent", False):
            often = "of updates that are only noise it is not known how many are"
        told.append(often)
    if found["public"]:
        most = _most(found)
        verb = "is" if most == 1 else "are"
        told.append(f"of {len(found['public']) + 1} guesses without the update {most} {verb}")
    other = f"by chance called something else than {NOT_RECOVERED!r}"
    return f"{' and '.join(told)} {other}" if told else ""


def _caution(found: Mapping[str, Any], said: str) -> str:
    """What a verdict does not say."""
    if said == PARTLY and found["guess"] > 0.99:
        return "; at another scale it would explain nearly all: is the learning rate right?"
    if said == PARTLY:
        return "; whether it is like the images cannot be told from that"
    if said == UNDETERMINED and found["rivals"]:
        return f"; so do {found['rivals']} public guesses, up to the noise of the defense"
    return ""
