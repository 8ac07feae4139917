"""One training with canaries inside."""

from __future__ import annotations

import math

import pytest
import torch

from attacks.audit.game.play import plan_with_canaries, play
from attacks.audit.game.seen import Course
from tests.attacks.audit.scenarios import scenario
from victims.training.trainer import Trainer


def test_the_sample_rate_does_not_tell_the_coins():
    plans = [plan_with_canaries(scenario(seed=seed)) for seed in range(5)]
    assert len({p.sample_rate for p in plans}) == len({p.steps for p in plans}) == 1


def test_the_trainers_own_sampler_draws_the_canaries():
    drawn = []

    class Counting(Trainer):
        def __init__(self, *given, join) -> None:
            counted = lambda index: drawn.append(len(index)) or join(index)  # noqa: E731
            super().__init__(*given, join=counted)

    seen = play(scenario(), trainer=Counting)
    inside, rate = int(seen.inserted.sum()), plan_with_canaries(scenario()).sample_rate
    assert len(drawn) == seen.steps[-1]
    spread = math.sqrt(len(drawn) * inside * rate * (1 - rate))
    assert abs(sum(drawn) - len(drawn) * inside * rate) < 5 * spread
    assert len(set(drawn)) > 1  # Poisson: their number varies


def test_an_interrupted_run_goes_on_to_the_same_scores():
    asked, kept = scenario(), {}

    def stop(line: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    course = Course(lambda: dict(kept) or None, lambda state: kept.update(state), every=2)
    with pytest.raises(KeyboardInterrupt):
        play(asked, course=course, report=stop)
    assert int(kept["progress"][0]) == 4
    resumed, whole = play(asked, course=course), play(asked)
    assert torch.equal(resumed.scores, whole.scores)
