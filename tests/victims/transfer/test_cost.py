"""What fits of a head are said to cost, and that to ask draws nothing of theirs."""

from __future__ import annotations

import pytest
import torch

import victims.transfer
from tests.victims.transfer.methods import small
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Problem
from victims.transfer.cost import seconds_of


@pytest.fixture
def problem() -> Problem:
    draw = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(60, 5, generator=draw), dim=1)
    return Problem(0.99 * features, torch.arange(60) % 3, classes=3, size=60)


@pytest.mark.parametrize(
    ("spent", "fits", "said"),
    [([0.01], 20, 2.0), ([0.5, 2.0], 20, 40.0), ([5.0], 2, 100.0), ([], 0, 0.0)],
    ids=["quick", "many", "few", "none"],
)
def test_a_part_is_tried_and_a_whole_fit_where_it_is_worth_it(
    spent, fits, said, problem, monkeypatch
):
    tried, seen = iter(spent), []

    def timed(method, one):
        seen.append(len(one.labels))
        return next(tried)

    monkeypatch.setattr("victims.transfer.cost._try", timed)
    assert seconds_of(victims.transfer.get("dp-ls"), problem, fits) == pytest.approx(said)
    assert seen == [6, 60][: len(spent)]


@pytest.mark.parametrize("method", small(), ids=lambda method: type(method).__name__)
def test_every_method_fits_a_part(method, problem):
    assert seconds_of(method, problem, 1) > 0


def test_a_fit_after_the_question_is_the_one_before(problem):
    method = victims.transfer.get("dp-ls")
    heads = []
    for ask in (False, True):
        if ask:
            seconds_of(method, problem, 10)
        heads.append(method.fit(problem, Gaussian(1.0, Repeatable(0, "test"))))
    assert torch.equal(*heads)
