"""Public examples, none of them private."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from attacks import audit, membership
from attacks.audit.game.play import plan_with_canaries, play
from attacks.membership.shadows.candidates import draw
from attacks.membership.shadows.train import make_trainer
from defenses import BadInput
from tests.victims.training.linear import APART, LINEAR, prepared
from victims.data import Data
from victims.data.people import matches
from victims.training import prepare
from victims.training.anchors import refuse_private


class TestAnchors:
    def test_private_ones_are_refused(self):
        with pytest.raises(BadInput, match="of the 128 public examples of --public are among the"):
            prepared(defense="gep", public="digits")
        run = prepared(**APART)
        assert run.trainer.public is not None
        private = run.train
        mirrored = Data(private.images[:3].flip(-1), private.labels[:3], 10, tuple("0123456789"))
        with pytest.raises(BadInput, match="3 of the 3 public examples"):
            refuse_private(mirrored, private.images, "the private ones")

    def test_all_models_of_a_trial_have_the_same_and_none_is_a_candidate(self):
        training = dataclasses.replace(LINEAR, **APART, count=40, anchors=16)
        scenario = membership.Scenario(
            training, shadows=2, population=30, watched=0, layout="plain"
        )
        found = draw(scenario)
        public = [make_trainer(scenario, training, found, m, "cpu").public[0] for m in range(3)]
        assert torch.equal(public[0], public[1])
        assert torch.equal(public[0], public[2])
        everybody = torch.cat([found.pool.images, found.population.images])
        assert not matches(public[0], everybody).any()
        own = dataclasses.replace(training, data="digits", public="digits")
        with pytest.raises(BadInput, match="among the candidates and the population"):
            draw(dataclasses.replace(scenario, training=own))

    @pytest.mark.parametrize("canary", ["dirac", "mislabelled"])
    def test_an_audit_s_are_no_canaries(self, canary, monkeypatch):
        seen = []
        inner = prepare.Trainer.__init__

        def noted(self, *given, **named):
            inner(self, *given, **named)
            seen.append(self.public[0])

        monkeypatch.setattr(prepare.Trainer, "__init__", noted)
        training = dataclasses.replace(LINEAR, **APART, count=40, anchors=16)
        scenario = audit.Scenario(training, canaries=20, canary=canary, runs=2)
        for turn in range(2):
            play(scenario, run=turn, plan=plan_with_canaries(scenario))
        assert torch.equal(*seen)
        own = dataclasses.replace(training, data="digits", public="digits", anchors=300)
        with pytest.raises(BadInput, match="public examples of --public are among"):
            play(dataclasses.replace(scenario, training=own))
