"""What a Training may be."""

from __future__ import annotations

import dataclasses

import pytest

from attacks import audit, membership
from defenses import BadInput
from tests.victims.training.linear import LINEAR
from victims.train import main

FLAGS = "--data digits --count 120 --model linear --batch-size 20 --epochs 1 --defense dpsgd"
FLAGS = [*FLAGS.split(), "--noise-multiplier", "1"]


def test_what_needs_the_noise_again_is_refused(tmp_path):
    with pytest.raises(BadInput, match="single people's releases"):
        main([*FLAGS, "--secure", "--record-every", "2", "--out", str(tmp_path / "r")])
    secure = dataclasses.replace(LINEAR, secure=True)
    for kind in (membership.Scenario, audit.Scenario):
        with pytest.raises(BadInput, match="--secure is for deployments"):
            kind(training=secure)
    with pytest.raises(BadInput, match="Poisson"):
        dataclasses.replace(secure, sampling="shuffle")


def test_settings_of_other_runs_keep_their_names():
    assert "secure" not in LINEAR.document()
    assert dataclasses.replace(LINEAR, secure=True).key() != LINEAR.key()
