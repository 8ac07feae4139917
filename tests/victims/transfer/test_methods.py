"""Without noise the methods are what scikit-learn fits; with it they are repeated by the seed."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

import victims.transfer
from defenses import BadInput
from tests.victims.transfer.methods import small
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Problem, bound_rows
from victims.transfer.conformance.scripted import Scripted
from victims.transfer.descent import clipped_gradient
from victims.transfer.methods.dp_lamb import LAMB
from victims.transfer.spectrum import Spectrum

ROWS, DIM, CLASSES = 600, 12, 4


@functools.cache
def problem(rows: int = ROWS) -> Problem:
    """Classes that overlap, so that the unregularised optimum is finite."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % CLASSES
    centres = torch.randn(CLASSES, DIM, generator=draw)
    features = bound_rows(centres[labels] + 3 * torch.randn(rows, DIM, generator=draw))
    return Problem(features, labels, CLASSES, rows)


def fit(name, noise=0.0, key="", **options):
    method = victims.transfer.get(name, **options)
    return method.fit(problem(), Gaussian(noise, Repeatable(0, key)))


def test_least_squares_is_the_ridge_regression_on_indicators():
    p = problem()
    other = Ridge(alpha=1.0, fit_intercept=False).fit(p.features.double(), p.targets.double())
    np.testing.assert_allclose(fit("dp-ls"), other.coef_, atol=1e-5)


def test_the_papers_least_squares_weights_each_class_by_its_own_gramian():
    p = problem()
    head = fit("dp-ls", per_class=True, weight=0.5)
    for c in range(CLASSES):
        # Rows of the class count 1.5 times, the rest half; only the class has a target.
        weights = 0.5 + (p.labels == c).double()
        ours = Ridge(alpha=1.0, fit_intercept=False).fit(
            p.features.double(), (p.labels == c).double() / 1.5, sample_weight=weights
        )
        np.testing.assert_allclose(head[c], ours.coef_, atol=1e-5)


def test_eigenvalues_that_noise_put_below_zero_count_as_zero():
    turn, _ = torch.linalg.qr(torch.arange(9.0).reshape(3, 3).double().cos())
    noisy = turn @ torch.tensor([-5.0, 0.5, 2.0]).double().diag() @ turn.T
    nearest = turn @ torch.tensor([0.0, 0.5, 2.0]).double().diag() @ turn.T
    spectrum, right = Spectrum.of(noisy), torch.ones(1, 3).double()
    assert torch.allclose(spectrum.matrix(), nearest)
    solved = torch.linalg.solve(nearest + torch.eye(3), right[0])
    assert torch.allclose(spectrum.solve(1.0, right)[0], solved)


def test_one_newton_step_from_zero_is_a_ridge_regression():
    p = problem()
    other = Ridge(alpha=4.0, fit_intercept=False).fit(p.features.double(), p.targets.double() - 0.5)
    np.testing.assert_allclose(fit("dp-newton"), 4 * other.coef_, atol=1e-5)


def test_newton_steps_end_where_logistic_regression_does():
    p = problem()
    head = fit("dp-newton", steps=40)
    for c in range(CLASSES):
        other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
        other.fit(p.features.double(), p.labels == c)
        np.testing.assert_allclose(head[c], other.coef_[0], atol=1e-2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dp-fc", {"steps": 300}),
        ("dp-gd", {"steps": 600, "lr": 8.0}),
        ("dp-adam", {"steps": 600, "lr": 0.05}),
        ("dp-sgd", {"steps": 600, "lr": 8.0, "batch_size": ROWS}),
    ],
)
def test_descent_ends_where_multinomial_logistic_regression_does(name, options):
    p = problem()
    # Rows so short that no gradient is clipped: sqrt(2) * 0.7 < 1.
    p = Problem(0.7 * p.features, p.labels, CLASSES, ROWS)
    other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=2000)
    chances = other.fit(p.features.double(), p.labels).predict_proba(p.features.double())
    head = victims.transfer.get(name, **options).fit(p, Gaussian(0.0, Repeatable(0, "")))
    ours = torch.softmax(p.features.double() @ head.T, 1)
    assert float((ours - torch.from_numpy(chances)).abs().max()) < 2e-3


def test_lamb_steps_at_the_weights_length_once_they_have_one():
    weight = torch.zeros(3, 5, dtype=torch.float64)
    optimizer = LAMB([weight], lr=0.1)
    weight.grad = torch.linspace(-2, 3, 15, dtype=torch.float64).reshape(3, 5)
    optimizer.step()
    # At zero Adam's first step: the sign of the gradient.
    assert torch.allclose(weight, -0.1 * weight.grad.sign(), atol=1e-5)
    before = weight.clone()
    optimizer.step()
    assert float((weight - before).norm()) == pytest.approx(0.1 * float(before.norm()))


@pytest.mark.parametrize("method", small(), ids=repr)
def test_the_key_of_the_run_settles_the_head_and_another_key_another(method):
    one, again, other = (
        method.fit(problem(), Gaussian(1.0, Repeatable(0, key))) for key in ("a", "a", "b")
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == (CLASSES, DIM)
    assert bool(torch.isfinite(one).all())


def test_a_class_without_examples_is_no_error_for_nobody_may_tell():
    p = problem()
    few = p.labels != 1
    without = Problem(p.features[few], p.labels[few], CLASSES, ROWS)
    for method in small():
        head = method.fit(without, Gaussian(1.0, Repeatable(0, "few")))
        assert bool(torch.isfinite(head).all())


def test_rows_are_scaled_to_norm_one_and_never_above():
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(500, 7, generator=draw) * torch.logspace(-30, 30, 500)[:, None]
    norms = torch.linalg.vector_norm(bound_rows(rows).double(), dim=1)
    assert float(norms.max()) <= 1
    assert float(norms.min()) > 1 - 1e-6
    assert torch.equal(bound_rows(torch.zeros(2, 3)), torch.zeros(2, 3))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e-40])
def test_a_row_that_cannot_be_scaled_counts_for_nothing_and_changes_no_other(value):
    rows = torch.ones(3, 4)
    rows[1, 2:] = value
    rows[1, :2] = 0
    left = bound_rows(rows)
    assert torch.equal(left[1], torch.zeros(4))
    assert torch.equal(left[::2], bound_rows(rows[::2]))


def test_an_example_whose_gradient_is_not_finite_is_left_out_of_a_descent():
    """Under a head so large that the logits of one row overflow, and those of the others do not."""
    rows = bound_rows(torch.tensor([[1.0, 0], [0, 1.0], [1.0, 1.0]]))
    labels, head = torch.tensor([0, 1, 1]), torch.tensor([[3e38, 3e38], [0, 0]]).double()
    whole, without = (Problem(rows[:n], labels[:n], 2, 3) for n in (3, 2))
    assert torch.equal(clipped_gradient(whole, head), clipped_gradient(without, head))
    assert float(clipped_gradient(without, head).norm()) > 0.9


@pytest.mark.parametrize("method", small(), ids=repr)
def test_what_is_released_is_finite_however_large_the_head_is(method):
    mechanism = Scripted(1e300, 0)
    method.fit(problem(), mechanism)
    assert all(bool(value.isfinite().all()) for value, _ in mechanism.asked.values())


@pytest.mark.parametrize("method", small(), ids=repr)
def test_rounding_moves_a_sum_by_less_than_the_rows_are_short_of_one(method):
    """Many rows of one sign, whose sums in single precision are rounded otherwise without one."""
    rows = bound_rows(torch.rand(6000, 40, generator=torch.Generator().manual_seed(0)))
    labels = torch.arange(len(rows)) % CLASSES
    found = []
    for start in (0, 1):
        mechanism = Scripted(0.0, 0)
        method.fit(Problem(rows[start:], labels[start:], CLASSES, len(rows)), mechanism)
        found.append(mechanism.asked)
    for name, (value, stated) in found[0].items():
        assert float((value - found[1][name][0]).norm()) <= stated


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"features": torch.full((3, 2), 0.8)}, "norm 1.13"),
        ({"features": torch.full((3, 2), torch.nan)}, "norm nan"),
        ({"features": torch.zeros(4, 2)}, "floats"),
        ({"labels": torch.tensor([0, 1, 2])}, r"\[0, 1\]"),
        ({"classes": 1}, ">= 2"),
    ],
)
def test_what_a_method_cannot_take_is_refused(changed, told):
    given = {
        "features": torch.zeros(3, 2),
        "labels": torch.tensor([0, 1, 1]),
        "classes": 2,
        "size": 3,
    }
    with pytest.raises(BadInput, match=told):
        Problem(**(given | changed))


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(BadInput, match="larger than the 10 examples"):
        victims.transfer.get("dp-sgd", batch_size=11).sample_rate(10)
