"""What a method releases moves no farther than it says, under noise of its own; mistakes show."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import victims.transfer
from tests.victims.transfer.methods import small
from tests.zoo.heads import Instead
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, bound_rows
from victims.transfer.conformance import examine, honest
from victims.transfer.conformance.checks import NOISE
from victims.transfer.conformance.neighbours import SHAPES, movements, private
from victims.transfer.mechanism import count_use
from victims.transfer.methods.dp_gd import GradientDescent
from victims.transfer.methods.dp_ls import LeastSquares
from victims.transfer.methods.dp_newton import Newton
from victims.transfer.methods.dp_sgd import StochasticDescent


@pytest.mark.parametrize("method", small(), ids=repr)
def test_every_method_conforms(method):
    for finding in examine(method):
        assert finding.holds, finding


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", small(), ids=repr)
def test_stated_sensitivities_are_reached_within_a_factor_of_one_and_a_half(method, shape):
    found = movements(method, shape=shape)
    assert found
    for name, (moved, stated) in found.items():
        assert stated / 1.5 <= moved <= stated * (1 + 1e-5), name


def broken(method, make=honest):
    return {finding.check for finding in examine(method, make) if not finding.holds}


class TooLittle(Instead):
    """Half of the noise that is said."""

    def release_symmetric(self, value, sensitivity, *name):
        noisy = super().release_symmetric(value, sensitivity, *name)
        return self.put((noisy + value.double()) / 2)


def test_less_noise_than_is_said_is_caught():
    assert broken(victims.transfer.get("dp-ls"), lambda d: TooLittle(NOISE, d)) == {"noise"}


class HalfClaimed(LeastSquares):
    """Class sums under half of the noise that they need."""

    def fit(self, problem, mechanism):
        class Halved:
            release_symmetric, std = mechanism.release_symmetric, mechanism.std

            def release(self, value, sensitivity, *name):
                return mechanism.release(value, sensitivity / 2, *name)

        return super().fit(problem, Halved())


class ForFourClasses(Newton):
    """The sensitivity of four classes' gradients, whatever their number."""

    def fit(self, problem, mechanism):
        class One:
            release_symmetric, std = mechanism.release_symmetric, mechanism.std

            def release(self, value, sensitivity, *name):
                return mechanism.release(value, 1.0, *name)

        return super().fit(problem, One())


class Centred(LeastSquares):
    """Features less their mean, which one example moves for all."""

    def fit(self, problem, mechanism):
        rows = bound_rows(problem.features - problem.features.mean(0))
        return super().fit(dataclasses.replace(problem, features=rows), mechanism)


class StatedOfData(LeastSquares):
    """The longest row for a sensitivity, which another set does not have."""

    def fit(self, problem, mechanism):
        longest = float(problem.features.norm(dim=1).max())

        class Longest:
            release_symmetric, std = mechanism.release_symmetric, mechanism.std

            def release(self, value, sensitivity, *name):
                return mechanism.release(value, longest, *name)

        return super().fit(problem, Longest())


class ByTheirNumber(LeastSquares):
    """A head that is divided by the number of examples, which tells whether one is there."""

    def fit(self, problem, mechanism):
        return super().fit(problem, mechanism) / len(problem.labels)


class Peeking(LeastSquares):
    """A head that is scaled by the features themselves."""

    def fit(self, problem, mechanism):
        return super().fit(problem, mechanism) * problem.features.std(0).double()


class NeverSampling(GradientDescent):
    """Accounted for as of Poisson batches, and made of all examples."""

    def sample_rate(self, size):
        return 0.5


class SampledOnce(StochasticDescent):
    """One batch for all steps, accounted for as one for each."""

    def fit(self, problem, mechanism):
        class Once:
            release, std = mechanism.release, mechanism.std

            def __init__(self):
                self.rows = mechanism.sample(len(problem.labels), 0.5, "batch")

            def sample(self, examples, rate, *name):
                return self.rows

        return super().fit(problem, Once())


class SampledMore(StochasticDescent):
    """Batches larger than those that are accounted for."""

    def sample_rate(self, size):
        return super().sample_rate(size) / 2


@pytest.mark.parametrize(
    ("method", "check"),
    [
        (ForFourClasses(), "sensitivity"),
        (Centred(), "sensitivity"),
        (StatedOfData(), "sensitivity"),
        (ByTheirNumber(), "learned"),
        (Peeking(), "learned"),
        (NeverSampling(steps=2), "sampling"),
        (SampledOnce(steps=2, batch_size=20), "sampling"),
        (SampledMore(steps=2, batch_size=20), "sampling"),
        (HalfClaimed(), "sensitivity"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_planted_mistake_is_caught_by_the_check_that_should(method, check):
    assert broken(method) == {check}


@pytest.mark.parametrize(
    "method",
    [
        NeverSampling(steps=2),
        SampledOnce(steps=2, batch_size=20),
        SampledMore(steps=2, batch_size=20),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_fit_that_does_not_sample_as_it_is_accounted_for_is_stopped(method):
    rate = method.sample_rate(40)
    with (
        pytest.raises(RuntimeError, match="new sample of rate"),
        count_use(honest(Repeatable(0, "")), method.releases(), rate) as mechanism,
    ):
        method.fit(private(), mechanism)


def test_a_sample_is_not_drawn_twice():
    mechanism = honest(Repeatable(0, ""))
    mechanism.sample(40, 0.5, 1)
    with pytest.raises(ValueError, match="of the same examples"):
        mechanism.sample(40, 0.5, 1)


def test_a_name_is_not_released_twice_and_nothing_that_is_not_finite():
    mechanism = Gaussian(1.0, Repeatable(0, ""))
    mechanism.release(torch.ones(2), 1.0, "sum")
    with pytest.raises(ValueError, match="released before"):
        mechanism.release(torch.ones(2), 1.0, "sum")
    with pytest.raises(ValueError, match="not finite"):
        mechanism.release(torch.tensor([torch.nan]), 1.0, "other")
    with pytest.raises(ValueError, match="must be > 0"):
        mechanism.release(torch.ones(2), 0.0, "free")
    with pytest.raises(ValueError, match="square"):
        mechanism.release_symmetric(torch.ones(2, 3), 1.0, "matrix")


def test_symmetric_noise_is_isotropic_among_symmetric_matrices():
    mechanism = Gaussian(2.0, Repeatable(0, "symmetric"))
    noise = mechanism.release_symmetric(torch.zeros(3, 300, 300), 0.5, "matrix")
    assert torch.equal(noise, noise.mT)
    beside = noise[:, *torch.triu_indices(300, 300, 1)]
    assert float(noise.diagonal(dim1=1, dim2=2).std()) == pytest.approx(1.0, rel=0.1)
    assert float(beside.std()) == pytest.approx(0.5**0.5, rel=0.02)
    radius = float(torch.linalg.eigvalsh(noise[0]).abs().max())
    assert radius == pytest.approx((2 * 300) ** 0.5, rel=0.1)  # what the ridge counts on
