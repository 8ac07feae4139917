"""The latent image behind a release."""

from __future__ import annotations

import dataclasses

from attacks.invert.matching.clock import Clock
from attacks.invert.peeling.latent import Latent
from tests.attacks.invert.peeling.masked_layers import (
    Case,
    randoms,
)


def test_the_latent_image_is_that_of_the_scores_that_made_the_release():
    case = Case(0.9)
    latent = Latent.fit(case.inputs[1:], case.gates[1:], case.images[1:], components=6)
    truth = 0.7 * randoms(1, 6, seed=9)
    inputs, gates, image = latent.decode(truth)
    value = (case.top.slope * gates) @ case.top.unfold(inputs.double()) * case.top.seen
    top = dataclasses.replace(case.top, value=value)
    scores, spent = latent.match(top, evaluations=60, clock=Clock())
    assert spent <= 60
    found = latent.decode(scores)[2]
    # The scores' prior draws them a little towards the mean.
    assert float((found - image).norm()) < 0.25 * float((latent.images[0] - image).norm())
