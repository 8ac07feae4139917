"""The effort grows with the examples that a gradient mixes, under noise too."""

from __future__ import annotations

import dataclasses

import pytest

from attacks.invert.practice.effort import EACH, MOST, effort
from tests.conftest import configured
from victims.gradients import LocalSteps

NOISY = configured("gaussian", noise_multiplier=0.1)


@pytest.mark.parametrize(("batch", "more"), [(1, 1), (2, 2 * EACH), (3, 9), (4, MOST), (40, MOST)])
def test_it_grows_with_the_batch_up_to_a_point(batch, more, observe, lenet):
    _, threat, _, _ = observe(lenet, configured("none"))
    assert effort(100, dataclasses.replace(threat, batch_size=batch)) == 100 * more


@pytest.mark.parametrize("adaptive", [True, False])
def test_noise_gets_as_much_as_the_undefended_update_that_it_is_compared_with(
    adaptive, observe, lenet
):
    _, threat, _, _ = observe(lenet, NOISY, adaptive=adaptive)
    assert effort(100, dataclasses.replace(threat, batch_size=4)) == 100 * MOST


@pytest.mark.parametrize(("steps", "more"), [(1, MOST), (2, 1)])
def test_several_local_steps_have_a_gradient_each(steps, more, observe, lenet):
    _, threat, _, _ = observe(lenet, configured("none"))
    local = LocalSteps(steps, 0.1, 4 // steps)
    assert effort(100, dataclasses.replace(threat, batch_size=4, local=local)) == 100 * more
