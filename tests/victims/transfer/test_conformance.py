"""What a method releases moves no farther than it says, under noise of its own; mistakes show."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import victims.transfer
from defenses.secrecy import normal
from tests.victims.transfer.methods import small
from victims.training.streams import Keyed
from victims.transfer import Gaussian
from victims.transfer.conformance import NOISE, examine, honest, movements
from victims.transfer.methods.dp_fc import FeatureCovariance
from victims.transfer.methods.dp_ls import LeastSquares


@pytest.mark.parametrize("method", small(), ids=repr)
def test_every_method_conforms(method):
    for finding in examine(method):
        assert finding.holds, finding


@pytest.mark.parametrize("method", small(), ids=repr)
def test_stated_sensitivities_are_reached_within_a_factor_of_one_and_a_half(method):
    found = movements(method)
    assert found
    for name, (moved, stated) in found.items():
        assert stated / 1.5 <= moved <= stated * (1 + 1e-5), name


def broken(method, make=honest):
    return {finding.check for finding in examine(method, make) if not finding.holds}


class SharedNoise(Gaussian):
    """Noise of one key for several classes, steps, or both, as in google-research dp_transfer."""

    classes = steps = True

    def release(self, value, sensitivity, *name):
        super().release(value, sensitivity, *name)
        first = value[0] if self.classes else value
        draw = self.draw("noise", *(name[:1] if self.steps else name))
        noise = normal(first.shape, torch.float64, draw).expand(value.shape)
        return instead(self, value.double() + self.std(sensitivity) * noise)


def instead(mechanism, value):
    """The value, put in the place of the last release."""
    if mechanism.keep:
        mechanism.seen[-1] = dataclasses.replace(mechanism.seen[-1], value=value)
    return value


@pytest.mark.parametrize(("classes", "steps"), [(True, False), (False, True), (True, True)])
def test_noise_that_is_shared_across_classes_or_steps_is_caught(classes, steps):
    def make(draw):
        found = SharedNoise(NOISE, draw)
        found.classes, found.steps = classes, steps
        return found

    assert broken(victims.transfer.get("dp-fc", steps=3), make) == {"noise"}


class TooLittle(Gaussian):
    """Half of the noise that is said."""

    def release_symmetric(self, value, sensitivity, *name):
        noisy = super().release_symmetric(value, sensitivity, *name)
        return instead(self, (noisy + value.double()) / 2)


def test_less_noise_than_is_said_is_caught():
    assert broken(victims.transfer.get("dp-ls"), lambda d: TooLittle(NOISE, d)) == {"noise"}


class Twice(FeatureCovariance):
    """Some examples count twice in the covariance, as in the released train_fc.py."""

    def fit(self, problem, mechanism):
        features = torch.cat([problem.features, problem.features[-5:]])
        labels = torch.cat([problem.labels, problem.labels[-5:]])
        more = victims.transfer.Problem(features, labels, problem.classes, problem.size)
        return super().fit(more, mechanism)


class MoreSteps(FeatureCovariance):
    """More updates than are accounted for: 102 for 100, as in the released code."""

    def releases(self):
        return super().releases() - 1


class HalfClaimed(LeastSquares):
    """Class sums under half of the noise that they need."""

    def fit(self, problem, mechanism):
        class Halved:
            release_symmetric, std = mechanism.release_symmetric, mechanism.std

            def release(self, value, sensitivity, *name):
                return mechanism.release(value, sensitivity / 2, *name)

        return super().fit(problem, Halved())


@pytest.mark.parametrize(
    ("method", "check"),
    [
        (Twice(steps=2), "sensitivity"),
        (MoreSteps(steps=2), "account"),
        (HalfClaimed(), "sensitivity"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_planted_mistake_is_caught_by_the_check_that_should(method, check):
    assert broken(method) == {check}


def test_a_name_is_not_released_twice_and_nothing_that_is_not_finite():
    mechanism = Gaussian(1.0, Keyed(0, ""))
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
    mechanism = Gaussian(2.0, Keyed(0, "symmetric"))
    noise = mechanism.release_symmetric(torch.zeros(3, 300, 300), 0.5, "matrix")
    assert torch.equal(noise, noise.mT)
    beside = noise[:, *torch.triu_indices(300, 300, 1)]
    assert float(noise.diagonal(dim1=1, dim2=2).std()) == pytest.approx(1.0, rel=0.1)
    assert float(beside.std()) == pytest.approx(0.5**0.5, rel=0.02)
    radius = float(torch.linalg.eigvalsh(noise[0]).abs().max())
    assert radius == pytest.approx((2 * 300) ** 0.5, rel=0.1)  # what the ridge counts on
