"""Whether noise is drawn afresh: for every parameter, row, column, step and release."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from defenses.conformance.directions import Along, along
from defenses.conformance.finding import Verdict
from defenses.conformance.limits import flat, most_t, t_statistic
from defenses.conformance.neighbours import HUGE
from defenses.conformance.subject import DRAWS, SIZE, STEPS, Subject

PAIRS = DRAWS // 2


def independence(subject: Subject) -> Verdict:
    """Noise repeats neither between releases nor between or within parameters.

    Products of noise that should be independent have mean zero whatever their covariance, so
    each is judged by the t statistic over draws.
    """
    if subject.noise(0, 0).stated == 0:
        return True, "states no noise"
    draws = [subject.noise(0, draw).left for draw in range(DRAWS)]
    tried = _between_releases(subject, draws) | _between_parameters(draws)
    largest = max(tried, key=lambda k: abs(tried[k][0]))
    size, count = tried[largest]
    if abs(size) > most_t(count):
        return False, f"noise repeats {largest}: t = {size:.3g}, limit {most_t(count):.3g}"
    for name in subject.like:
        for axis, kind in ((0, "rows"), (1, "columns")):
            look = _within(subject, draws, name, axis)
            if look is not None and look.lacking:
                told = f"noise repeats in the {kind} of {name}"
                return False, f"{told}: std {look.noise:.2g} where data makes them differ"
    return True, f"{len(tried)} products, largest t = {size:.2g} of {most_t(count):.3g} allowed"


def _between_releases(
    subject: Subject, draws: list[dict[str, Tensor]]
) -> dict[str, tuple[float, int]]:
    """t of the products of noise of two releases: other generators, other steps, one generator."""
    grads = subject.batch()

    def judged(pairs: list[tuple[Tensor, Tensor]]) -> tuple[float, int]:
        return t_statistic(torch.stack([a @ b for a, b in pairs])), len(pairs)

    vectors = [flat(d) for d in draws]
    apart = list(zip(vectors[::2], vectors[1::2], strict=True))
    steps = [(vectors[i], flat(subject.noise(1, PAIRS + i).left)) for i in range(PAIRS)]
    running = []
    for draw in range(PAIRS):
        generator = subject.generator("running", draw)
        two = [
            subject.defense.release(
                grads, step=step, steps=STEPS, batch_size=SIZE, generator=generator
            )
            for step in (0, 1)
        ]
        running.append(tuple(flat(subject.left(grads, r)) for r in two))
    return {
        "between generators": judged(apart),
        "between steps": judged(steps),
        "when a generator goes on": judged([(a, b) for a, b in running]),
    }


def _between_parameters(draws: list[dict[str, Tensor]]) -> dict[str, tuple[float, int]]:
    """t of the products of two parameters' noise, over what both have."""
    found = {}
    for first, second in combinations(draws[0], 2):
        size = min(draws[0][first].numel(), draws[0][second].numel())
        products = [
            d[first].flatten()[:size].double() @ d[second].flatten()[:size].double() for d in draws
        ]
        found[f"in {first} and {second}"] = t_statistic(torch.stack(products)), len(draws)
    return found


def _within(subject: Subject, draws: list[dict[str, Tensor]], name: str, axis: int) -> Along | None:
    """The noise along gradients that rows or columns have with changing sign.

    Looked at only where rows or columns seem to repeat one another.
    """
    if subject.like[name].ndim < 2 or subject.like[name].shape[axis] < 2:
        return None
    rows = [d[name].double().transpose(0, axis).flatten(1) for d in draws]
    products = [r.sum(0).square().sum() - r.square().sum() for r in rows]
    if abs(t_statistic(torch.stack(products))) <= most_t(len(draws)):
        return None
    one = {k: torch.zeros((1, *v.shape)).to(v) for k, v in subject.like.items()}
    pattern = subject.random(1, "pattern", name)[name][0].transpose(0, axis)[:1]
    signs = torch.ones(subject.like[name].shape[axis]).to(pattern)
    signs[1::2] = -1
    if len(signs) % 2:
        signs[-1] = 0
    turned = pattern * signs.view(-1, *[1] * (pattern.ndim - 1))
    one[name] = HUGE * turned.transpose(0, axis)[None]
    stated = subject.noise(0, 0).stated
    return along(subject, subject.batch(), one, lambda moved: torch.full_like(moved, stated))
