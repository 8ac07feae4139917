"""The positive control: what an audit could have come to."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from attacks import audit
from attacks.audit import control
from attacks.audit.game.seen import Seen
from tests.attacks.audit.scenarios import scenario

METHODS = audit.names()
DELTA = 1e-5


def coins(count: int, visible: torch.Tensor | None = None) -> Seen:
    return Seen(torch.arange(count) % 2 == 0, torch.zeros(1, count), [1], visible)


@pytest.mark.parametrize("method", METHODS)
def test_the_reach_is_what_perfect_scores_prove(method):
    asked = scenario(methods=(method,))
    found = {n: control.reaches(asked, [coins(n)])[method] for n in (100, 400)}
    for count, reach in found.items():
        bits = coins(count).inserted
        assert reach == audit.lower_bound(bits.double(), bits, delta=DELTA, method=method)
    assert 0 < found[100] < found[400]
    assert control.reaches(asked, [coins(200), coins(200)])[method] == found[400]


def test_the_reach_of_one_run_is_that_of_all_guesses_right():
    asked = dataclasses.replace(scenario(methods=("one-run",)), confidence=0.9)
    asked = dataclasses.replace(asked, training=dataclasses.replace(asked.training, delta=1e-15))
    (found,) = control.reaches(asked, [coins(200)]).values()
    share = (0.1 / 5) ** (1 / 200)  # five numbers of guesses share alpha
    assert found == pytest.approx(math.log(share / (1 - share)), abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_canaries_that_no_release_holds_prove_nothing_and_few_that_are_held_prove_less(method):
    asked = scenario(methods=(method,))
    reach = [
        control.reaches(asked, [coins(400, torch.arange(400) < seen)])[method]
        for seen in (0, 80, 400)
    ]
    assert reach[0] == 0 and reach[0] <= reach[1] < reach[2]
