"""What fits of a head are said to cost, and that to ask draws nothing of theirs."""

from __future__ import annotations

import pytest
import torch

import victims.transfer
from tests.victims.transfer.methods import small
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Problem, cost, descent
from victims.transfer.cost import seconds_of


@pytest.fixture
def problem() -> Problem:
    draw = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(60, 5, generator=draw), dim=1)
    return Problem(0.99 * features, torch.arange(60) % 3, classes=3, size=60)


@pytest.mark.parametrize(
    ("tried", "fits", "said", "seen"),
    [
        ([(0.01, 0.1), (0.02, 3.0)], 20, 60.0, [6, 60]),  # a whole fit may be tried
        ([(1.5, 1.9), (0.01, 0.1), (0.02, 3.0)], 2, 6.0, [6, 6, 60]),  # it was an import
        ([(1.5, 1.9), (1.0, 1.2)], 2, 24.0, [6, 6]),  # it takes long: of the part alone
        ([], 0, 0.0, []),
    ],
    ids=["quick", "import", "long", "none"],
)
def test_a_part_is_tried_and_a_whole_fit_where_it_takes_no_time(
    tried, fits, said, seen, problem, monkeypatch
):
    tries, sizes = iter(tried), []

    def timed(method, one):
        sizes.append(len(one.labels))
        return next(tries)

    monkeypatch.setattr("victims.transfer.cost._try", timed)
    assert seconds_of(victims.transfer.get("dp-ls"), problem, fits) == pytest.approx(said)
    assert sizes == seen


def test_a_long_fit_is_asked_for_its_first_steps_alone(problem, monkeypatch):
    done = []
    real = descent.clipped_gradient
    monkeypatch.setattr(descent, "clipped_gradient", lambda *given: done.append(1) or real(*given))
    few, many = (
        seconds_of(victims.transfer.get("dp-gd", steps=steps), problem, 1)
        for steps in (1000, 10**6)
    )
    assert len(done) <= 2 * 3 * cost.FEW
    assert 100 < many / few < 10_000  # a thousand, as far as a clock tells


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
