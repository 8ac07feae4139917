"""Input and gates of the top convolution, and the image: each told by the two others in turn.

Far fewer equations are enough than for input and gates as free numbers: gates are open or closed,
inputs are those of an image, and the image says which gates it opens.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.peeling.beliefs import Beliefs
from attacks.invert.peeling.odds import by_outputs
from attacks.invert.peeling.open_chain import OpenChain
from attacks.invert.peeling.picture import Picture
from attacks.invert.peeling.rounding import SOLVED
from attacks.invert.peeling.top import Top, TopPrior
from attacks.invert.peeling.trimmed import Trimmed, trim

ROUNDS, EVALUATIONS = 16, 25
"""Of gates, input and image, at most; and of feature matching in each."""
DOUBT = 2.0
"""Variance of what the image gives as input, beside its distance from what the gradient says."""
SLOWEST = 0.6
"""That variance falls by no more than this from one round to the next: both sides come nearer to
each other sooner than to the truth."""
ALONE = 5
"""Rounds before the first try without the image."""
TRIED = (3, 8)
"""Turns of `trim`, first to see whether it goes anywhere, and then on from there."""
NEARER = 0.3
"""What is off of the input after that, beside the way that it went."""
LONG = 120
"""Evaluations of the last match of the image."""


class Joint(NamedTuple):
    """What was found.

    Attributes:
        inputs: (I, P) float64.
        gates: (O, n) float64, chances that gates are open.
        residual: what they leave of the gradient, relative.
        error: standard deviation of the inputs, as far as the equations know it.
        image: (1, C, H, W) in [0, 1].
        solved: whether gates are 0 or 1, and leave nothing of the gradient.
        evaluations: of feature matching.
    """

    inputs: Tensor
    gates: Tensor
    residual: float
    error: float
    image: Tensor
    solved: bool
    evaluations: int


def applies(chain: OpenChain, top: Top) -> bool:
    """Whether one example is alone, and the gates of a window exclude one another."""
    return top.examples == 1 and (top.windows is not None or not chain.pools)


def solve_jointly(
    top: Top,
    chain: OpenChain,
    begin: TopPrior,
    certain: Tensor | None,
    prior: SpectralPrior,
    image: Tensor,
    *,
    evaluations: int,
    clock: Clock,
) -> Joint:
    """Gates by mean field, the input as a Gaussian, the image by feature matching, round by round.

    What is believed before each round is what the image of the round before gives.

    Args:
        top: what the release says.
        chain: the convolution and what decides on its gates; see `applies`.
        begin: of input and gates, in the first round.
        certain: (O, windows) bool, pooling windows that are known to let something through.
        prior: over images.
        image: (1, C, H, W), to begin with.
        evaluations: at most so many.
        clock: ends it early.
    """
    state = Beliefs(top, begin, certain)
    picture = Picture(chain, prior, prior.encode(image), evaluations, clock)
    spread: float | None = None
    exact: Trimmed | None = None
    for turn in range(ROUNDS):
        state.turn()
        exact = _trimmed(state) if turn >= ALONE and top.noise == 0 else None
        if exact is not None or picture.over:
            break
        inputs = state.inputs.clamp(min=0)
        error = max(state.error, 0.0 if spread is None else 0.5 * spread**0.5)
        given, outputs = picture.match(inputs, error, EVALUATIONS)
        gap = inputs - given
        apart = float(gap.square().mean())
        spread = apart if spread is None else max(apart, SLOWEST * spread)
        away = picture.moved(top, gap) * (spread / max(apart, 1e-300)) ** 0.5
        chances = by_outputs(top, outputs[:, top.places], away, certain, chain.closes)
        state.expect(given, DOUBT * spread, chances)
    if exact is None:
        found = state.inputs.clamp(min=0).double(), state.shares.double()
        return Joint(*found, state.residual, state.error, picture.image, False, picture.spent)
    moved = float((exact.inputs - state.inputs).square().mean())
    error = NEARER * math.sqrt(moved)
    solved = exact.residual < SOLVED
    if not solved and not picture.over:
        picture.match(exact.inputs.float(), error, LONG)
    found = exact.inputs, exact.gates
    return Joint(*found, exact.residual, error, picture.image, solved, picture.spent)


def _trimmed(state: Beliefs) -> Trimmed | None:
    """Gates that are open or closed, and input; None where it is not what was nearly known."""
    gates, before = state.shares.double(), state.inputs.clamp(min=0).double()
    start = before
    for turns in TRIED:
        found = trim(state.top, gates, before, state.certain, turns, start)
        gates, start = found.gates, found.inputs
        if float((found.inputs - before).square().mean()) > state.error**2:
            return None
    return found
