"""The positive control of an audit: could it have refuted the claim at all?

An audit whose canaries are too few for the claim, or are not found even where nothing hides them,
says nothing for the claim: that it was not refuted is then no evidence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch

from attacks.audit.bounds import bounds_of, together
from attacks.audit.game.seen import Seen
from attacks.audit.scenario import Exam


def reaches(exam: Exam, seen: Sequence[Seen]) -> dict[str, float]:
    """Method -> the largest lower bound that it can come to with these coins, by its own formula.

    It is that of perfectly separated scores. A canary of which no release holds anything, noise
    apart, can only be guessed whoever scores it.
    """
    inserted = torch.cat([s.inserted for s in seen])
    perfect = inserted.double()
    parts = [s.visible for s in seen if s.visible is not None]
    if len(parts) == len(seen):
        perfect[~torch.cat(parts)] = 0.5
    return bounds_of(exam, perfect, inserted)


def controls(exam: Exam, claimed: float, play: Callable[[Exam], list[Seen]]) -> dict[str, float]:
    """Method -> what the same audit proves of the same trainings without the defense.

    Black-box only: a model may not learn its canaries at all. Where releases are seen a canary is
    there unless noise hides it, or not `Seen.visible`. Nothing either where no claim is judged.

    Args:
        exam: that is judged.
        claimed: epsilon.
        play: trains and scores, as the exam's own.
    """
    t = exam.training
    if exam.white_box or math.isinf(claimed) or t.defense == "none":
        return {}
    bare = dataclasses.replace(t, defense="none", defense_options={}, epsilon=None)
    control = dataclasses.replace(exam, training=bare, claim=None)
    scores, inserted = together(play(control))
    return bounds_of(control, scores[-1], inserted)


def doubt(claimed: float, reach: float, control: float | None = None) -> str:
    """Why it is no evidence that a claim was not refuted; empty where it is some.

    Args:
        claimed: epsilon; nothing is in doubt where it is infinite.
        reach: what perfect scores prove, see `reaches`.
        control: what the undefended training's scores prove, see `controls`; None: not run.
    """
    if math.isinf(claimed):
        return ""
    if reach <= claimed:
        return f"even perfect scores would prove no more than epsilon {reach:.4g}"
    if control is not None and control <= claimed:
        return f"without the defense the same audit proves no more than epsilon {control:.4g}"
    return ""
