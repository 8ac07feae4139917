"""Whether one example moves the release by less than the noise can hide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.conformance.directions import along, wider
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import EXACT, ROUNDING, flat, least_rms, rms
from defenses.conformance.neighbours import neighbours
from defenses.conformance.subject import DRAWS, SIZE, STEPS, Subject, join
from defenses.contract import Gradients

FIRST = ("huge", "against the others", "against the last")
ALONE = ("huge", "even", "against the last")


def sensitivity(subject: Subject) -> Verdict:
    """Movement by an adversarial example, times the claimed noise multiplier, is within the noise.

    Batches of 0, 1, 7 and 8 gain an example, with the same generator, so that the noise cancels;
    losing one is the same movement. The noise is first measured over all coordinates that
    moved. Where it seems too small, as noise that lives in a subspace does, it is measured
    along the movement itself. Measured noise is known to some percent only; the stated noise is
    known exactly, and where no more than that is found along a movement, the movement is held
    against it to `EXACT`. Of a chain the first stage is looked at, for the rest cannot spoil it.
    """
    subject = subject.guarantor
    claimed = subject.defense.effective_noise()
    if not subject.claims:
        return True, "claims no epsilon: one example may move it at will"
    if claimed == 0:
        return True, "claims an epsilon that rests on no Gaussian mechanism: not judged"
    moves = list(_moves(subject))
    worst = max(moves, key=lambda m: m.moved / max(m.limit, 1e-30))
    share = claimed * worst.moved / max(worst.limit, 1e-30)
    told = f"{worst.where}: moves {worst.moved:.3g} under noise {worst.limit:.3g}"
    if share > 1 + ROUNDING:
        look = along(subject, *worst.pair, lambda moved: claimed * moved, step=worst.step)
        told = f"{worst.where}: moves {look.moved:.3g} under noise {look.noise:.3g} along it"
        share = claimed * look.moved / max(look.noise, 1e-30)
        beside = f"claimed noise multiplier {claimed:.3g} times movement over noise {share:.3g}"
        told = f"{told}; {beside}, limit 1 within chance ({look.draws} draws)"
        if look.lacking:
            return False, told
    else:
        beside = f"claimed noise multiplier {claimed:.3g} times movement over noise {share:.3g}"
        told = f"{told}; {beside}, limit 1"
    farthest = max(moves, key=lambda m: m.excess(claimed))
    excess = farthest.excess(claimed)
    if excess > EXACT and not wider(subject, *farthest.pair, farthest.stated, step=farthest.step):
        where = f"{farthest.where}: moves {farthest.moved:.7g} under stated noise"
        return False, f"{where} {farthest.stated:.7g}, {excess:.2g} too far; limit {EXACT:g}"
    return True, told


@dataclass(frozen=True)
class _Move:
    """How far one more example moves a release.

    Attributes:
        where: in words.
        pair: the batch and the example.
        step: of the release.
        moved: the distance.
        limit: measured noise std, as large as chance allows.
        stated: noise std that the release states.
        blur: relative error of ``moved`` that the rounding of noisy coordinates may cause.
    """

    where: str
    pair: tuple[Gradients, Gradients]
    step: int
    moved: float
    limit: float
    stated: float
    blur: float

    def excess(self, claimed: float) -> float:
        """By which share the movement is longer than the stated noise hides."""
        if not self.moved:
            return 0.0
        return claimed * self.moved / max(self.stated, 1e-30) - 1 - self.blur


def _moves(subject: Subject) -> Iterator[_Move]:
    for step, count in ((0, 0), (0, 1), (0, SIZE - 1), (0, SIZE), (STEPS - 1, SIZE - 1)):
        grads = subject.batch(count)
        base = subject.release(grads, step=step)
        noise = [flat(subject.left(grads, base))]
        noise += [flat(subject.noise(step, draw).left) for draw in range(1, DRAWS // 2)]
        for name, one in neighbours(grads, subject.generator("neighbours", count)).items():
            if count < SIZE - 1 and name not in ALONE:
                continue
            for first in (False, True):
                if first and (count != SIZE - 1 or name not in FIRST):
                    continue
                update = subject.release(join(grads, one, first=first), step=step).update
                way = flat(update) - flat(base.update)
                moved = float(way.norm())
                limit = _limit(noise, way.abs() > 1e-7 * float(way.abs().max())) if moved else 1.0
                where = f"batch of {count}, one more ({name}), step {step}"
                stated, blur = float(base.public["noise_std"]), _blur(base.update, way)
                yield _Move(where, (grads, one), step, moved, limit, stated, blur)


def _blur(update: dict[str, Tensor], way: Tensor) -> float:
    """Four roundings of every coordinate, which go their own ways, relative to the movement."""
    eps = max(torch.finfo(v.dtype).eps for v in update.values())
    square = way.square()
    return (
        2
        * eps
        * float((square * flat(update).square()).sum().sqrt() / square.sum().clamp(min=1e-30))
    )


def reach(subject: Subject) -> float:
    """The farthest that one adversarial example moves the released sum of seven others."""
    grads = subject.batch(SIZE - 1)
    base = flat(subject.release(grads).update)
    moved = [
        float((flat(subject.release(join(grads, one)).update) - base).norm())
        for one in neighbours(grads, subject.generator("neighbours", "reach")).values()
    ]
    return SIZE * max(moved)


def _limit(noise: list[Tensor], touched: Tensor) -> float:
    """The noise std that coordinates that moved may have, from several draws; 0 if one has none."""
    first, *more = [n[touched] for n in noise]
    if not bool(first.all()):
        return 0.0
    # Elsewhere zero, a coordinate was not part of that draw's mask.
    known = torch.cat([first, *[m[m != 0] for m in more]])
    return rms(known) / least_rms(len(known))
