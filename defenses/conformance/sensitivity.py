"""Whether one example moves the release by less than the noise can hide."""

from __future__ import annotations

import torch
from torch import Tensor

from defenses.conformance.directions import along
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import ROUNDING, flat, least_rms, rms
from defenses.conformance.neighbours import neighbours
from defenses.conformance.subject import DRAWS, SIZE, STEPS, Subject, joined
from defenses.contract import Gradients

FIRST = ("huge", "against the others", "against the last")
ALONE = ("huge", "even", "against the last")


def sensitivity(subject: Subject) -> Verdict:
    """Movement by an adversarial example, times the claimed noise multiplier, is within the noise.

    Batches of 0, 1, 7 and 8 gain an example, with the same generator, so that the noise cancels;
    losing one is the same movement. The noise is first measured over all coordinates that
    moved. Where it seems too small, as noise that lives in a subspace does, it is measured
    along the movement itself.
    """
    claimed = subject.defense.effective_noise()
    if not subject.claims:
        return True, "claims no epsilon: one example may move it at will"
    if claimed == 0:
        return True, "claims an epsilon that rests on no Gaussian mechanism: not judged"
    worst, told = 0.0, ""
    suspects: list[tuple[float, str, Gradients, Gradients, int]] = []
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
                update = subject.release(joined(grads, one, first=first), step=step).update
                way = flat(update) - flat(base.update)
                moved = float(way.norm())
                limit = _limit(noise, way.abs() > 1e-7 * float(way.abs().max())) if moved else 1.0
                share = claimed * moved / max(limit, 1e-30)
                where = f"batch of {count}, one more ({name}), step {step}"
                if share > worst:
                    worst, told = share, f"{where}: moves {moved:.3g} under noise {limit:.3g}"
                if share > 1 + ROUNDING:
                    suspects.append((share, where, grads, one, step))
    shown = f"{told}; claimed noise multiplier {claimed:.3g} times movement over noise"
    if not suspects:
        return True, f"{shown} {worst:.3g}, limit 1"
    _, where, company, suspect, at = max(suspects, key=lambda s: s[0])
    look = along(subject, company, suspect, lambda moved: claimed * moved, step=at)
    told = f"{where}: moves {look.moved:.3g} under noise {look.noise:.3g} along it"
    share = claimed * look.moved / max(look.noise, 1e-30)
    beside = f"claimed noise multiplier {claimed:.3g} times movement over noise {share:.3g}"
    return not look.lacking, f"{told}; {beside}, limit 1 within chance ({look.draws} draws)"


def reach(subject: Subject) -> float:
    """The farthest that one adversarial example moves the released sum of seven others."""
    grads = subject.batch(SIZE - 1)
    base = flat(subject.release(grads).update)
    moved = [
        float((flat(subject.release(joined(grads, one)).update) - base).norm())
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
