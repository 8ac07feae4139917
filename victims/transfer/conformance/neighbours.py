"""Data sets with an example more, and what a method asks for and makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from defenses import stream
from victims.transfer.conformance.scripted import EXAMPLES, Scripted
from victims.transfer.contract import Method, Problem, bound_rows

SHAPES = ((24, 4), (5, 11))
"""Features and classes: what is right for one number of classes may be wrong for more."""

DIM, CLASSES = SHAPES[0]

LABELS = 4
"""At most so many labels, with which an example joins."""

SCALES = (0.0, 1.0, 1e3, 1e300)
"""Of what the method is answered: heads of 0, of a size as usual, sure of everything, and such as
overflow."""


def private(seed: int = 0, shape: tuple[int, int] = SHAPES[0]) -> Problem:
    """A few examples of every class, of a mean that is not 0 and of less norm than one may have.

    Args:
        seed: of the features.
        shape: the numbers of features and of classes.
    """
    dim, classes = shape
    rows = torch.randn(EXAMPLES, dim, generator=stream(seed, "examples")).abs()
    return Problem(0.9 * bound_rows(rows), torch.arange(EXAMPLES) % classes, classes, EXAMPLES)


def movements(
    method: Method, seed: int = 0, shape: tuple[int, int] = SHAPES[0]
) -> dict[tuple[object, ...], tuple[float, float]]:
    """Name of a release -> the farthest that an added example moves it, and what is stated.

    Examples at the norm's limit join under several labels, into heads that know nothing and heads
    that are sure. Movement of a symmetric matrix is measured in Frobenius norm.

    Raises:
        ValueError: with an example more, something else is asked for, or another sensitivity
            stated: whoever sees the noise then learns of the example.
    """
    farthest: dict[tuple[object, ...], tuple[float, float]] = {}
    for before, after, _, _ in neighbouring_fits(method, seed, shape):
        if [(n, s) for n, (_, s) in before.asked.items()] != [
            (n, s) for n, (_, s) in after.asked.items()
        ]:
            raise ValueError("what is asked for, or a stated sensitivity, depends on the examples")
        for name, (value, stated) in after.asked.items():
            moved = float((value - before.asked[name][0]).norm())
            moved = moved if math.isfinite(moved) else math.inf
            farthest[name] = max(farthest.get(name, (0.0, stated)), (moved, stated))
    return farthest


def neighbouring_fits(
    method: Method, seed: int, shape: tuple[int, int], every: int = 1
) -> Iterator[tuple[Scripted, Scripted, Tensor, Tensor]]:
    """What a method asks for, and the heads that it makes, without an example and with it."""
    problem = private(seed, shape)
    for scale in SCALES:
        before = Scripted(scale, seed, every)
        head = method.fit(problem, before)
        for other in _neighbours(problem, seed):
            after = Scripted(scale, seed, every)
            yield before, after, head, method.fit(other, after)


def _neighbours(problem: Problem, seed: int) -> Iterator[Problem]:
    """The examples with one more: anywhere, where one is already, or opposite to all of them."""
    known = problem.features[0]
    rows = [*torch.randn(3, problem.dim, generator=stream(seed, "joined")), known, -known]
    for row in bound_rows(torch.stack(rows)):
        for label in range(0, problem.classes, -(-problem.classes // LABELS)):
            features = torch.cat([problem.features, row[None]])
            labels = torch.cat([problem.labels, torch.tensor([label])])
            yield Problem(features, labels, problem.classes, problem.size)
