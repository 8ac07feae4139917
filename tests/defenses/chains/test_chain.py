"""Defenses one after the other."""

from __future__ import annotations

import dataclasses
import math
import shlex

import pytest
import torch

import defenses
from attacks.invert import command
from defenses import BadInput, Release, Side
from defenses.chains.chain import Chain
from tests.conftest import configured, random_gradients, seeded
from tests.defenses.updates import flat, mean_of, training
from victims.train import command_line
from victims.training import prepare
from victims.training.flags import training_of, training_parser


@dataclasses.dataclass(frozen=True)
class Halved(defenses.Defense):
    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        update = {k: g.sum(0) / (2 * batch_size) for k, g in grads.items()}
        return Release(update, self.public(batch_size), 4 * sum(v.numel() for v in update.values()))

    def replay(self, grads, release):
        return {k: g.sum(0) / (2 * release.public["batch_size"]) for k, g in grads.items()}


class TestChain:
    def test_stages_follow_one_another(self):
        grads = random_gradients()
        chain = defenses.get("topk+sign", rate=0.8, scale=0.01)
        assert isinstance(chain, Chain)
        topk, sign = defenses.get("topk", rate=0.8), defenses.get("sign", scale=0.01)
        sparse = topk.release(grads, generator=seeded()).update
        expected = sign.release({k: v[None] for k, v in sparse.items()}, generator=seeded())
        found = chain.release(grads, generator=seeded())
        assert torch.equal(flat(found.update), flat(expected.update))
        assert found.wire_bytes == expected.wire_bytes == 2 * 1240 // 8
        assert found.public["batch_size"] == 3

    @pytest.mark.parametrize("name", ["dpsgd+quantize", "dprs+topk", "adaptive+randk+quantize"])
    def test_post_processing_costs_nothing(self, name):
        setting = {"steps": 100, "sample_rate": 0.02, "delta": 1e-5}
        alone = configured(name.split("+")[0])
        assert configured(name).epsilon(**setting) == alone.epsilon(**setting) < math.inf
        assert configured(name).effective_noise() == alone.effective_noise()
        loud = defenses.with_effective_noise(configured(name), 3.0)
        assert loud is not None
        assert loud.effective_noise() == 3.0

    def test_what_guarantees_nothing_comes_to_nothing(self):
        chain = defenses.get("topk+quantize")
        assert chain.epsilon(steps=1, sample_rate=1, delta=1e-5) == math.inf
        assert chain.effective_noise() == 0
        # Noise without clipping in front is none either.
        noisy = defenses.get("gaussian+topk", noise_multiplier=5.0)
        assert noisy.epsilon(steps=1, sample_rate=1, delta=1e-5) == math.inf

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("topk+dpsgd", "'dpsgd' cannot follow another, for it looks at single examples"),
            ("topk+perlayer", "'perlayer' cannot follow another"),
            ("dpsgd+gaussian", "'gaussian' cannot follow another, for it adds noise"),
            ("topk+quantize+topk", "has 'topk' twice"),
            ("topk+none", "'none' cannot follow another, for it does nothing"),
            ("none+topk", "'none' does nothing there"),
            ("topk+", "unknown defense ''; known: adaptive"),
            ("topk+nix", "unknown defense 'nix'"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, name, message):
        with pytest.raises(BadInput, match=message):
            defenses.get(name)

    def test_options_are_flat_and_a_later_one_of_the_same_name_says_whose_it_is(self):
        chain = defenses.get("dprs+topk+quantize", rate=0.3, topk_rate=0.7, bits=6)
        stages = dict(chain.stages())
        assert (stages["dprs"].rate, stages["topk"].rate, stages["quantize"].bits) == (0.3, 0.7, 6)
        with pytest.raises(BadInput, match=r"rate is 1; it must be in \[0, 1\)"):
            defenses.get("dprs+topk", topk_rate=1.0)
        with pytest.raises(BadInput, match="no option 'quantize_bits'; it has: rate, bits"):
            defenses.get("topk+quantize", quantize_bits=3)
        assert defenses.get("topk+quantize", bits=6) == defenses.get("topk+quantize", bits=6)

    def test_public_facts_are_kept_apart_and_masks_are_joined(self):
        release = configured("dprs+randk").release(random_gradients(), generator=seeded())
        known = release.public
        first, second = (flat(known[f"{n}.mask"]) for n in ("dprs", "randk"))
        assert torch.equal(flat(known["mask"]), first & second)
        assert not flat(release.update)[~flat(known["mask"])].any()
        assert (known["dprs.batch_size"], known["randk.batch_size"]) == (3, 1)
        # Before an update is seen all is known but what is drawn for it.
        before = configured("dprs+randk").public(3)
        assert before.items() <= {k: v for k, v in known.items() if "mask" not in k}.items()

    def test_chunks_make_the_release(self):
        chain, grads = configured("dpsgd+quantize"), random_gradients(batch=6)
        whole = chain.release(grads, batch_size=6, generator=seeded())
        draw = seeded()
        plan = chain.plan(mean_of(grads), step=0, steps=1, generator=draw)
        parts = [chain.contribute({k: g[i::2] for k, g in grads.items()}, plan) for i in (0, 1)]
        total = {k: parts[0][k] + parts[1][k] for k in grads}
        made = chain.finish(total, plan, batch_size=6, generator=draw)
        assert torch.allclose(flat(made.update), flat(whole.update), atol=1e-5)

    def test_a_schedule_is_that_of_its_stage(self):
        chain = configured("dprs+quantize", rate=0.8).informed(Side(sample_rate=0.5))
        assert [chain.at(t, 6).rate for t in range(6)] == pytest.approx([0, 0, 0.4, 0.4, 0.8, 0.8])

    def test_a_first_stage_of_the_users_own_need_not_be_a_sum(self):
        chain = defenses.get("tests.defenses.chains.test_chain:Halved+topk", rate=0.5)
        grads = random_gradients()
        release = chain.release(grads, generator=seeded())
        half = {k: v / 2 for k, v in mean_of(grads).items()}
        kept = flat(release.update) != 0
        assert int(kept.sum()) == 620
        assert torch.allclose(flat(release.update)[kept], flat(half)[kept])
        assert torch.equal(flat(chain.replay(grads, release)), flat(release.update))
        with pytest.raises(BadInput, match="'Halved' cannot follow another"):
            defenses.get("topk+tests.defenses.chains.test_chain:Halved")

    def test_commands_take_chains_and_say_them_again(self):
        words = ["--defense", "dprs+topk+quantize", "--topk-rate", "0.5", "--bits", "3"]
        scenario = command.scenario(command.parse([*words, "--against", "topk+quantize"]))
        assert scenario.defense_options == {"topk_rate": 0.5, "bits": 3}
        again = shlex.split(command.command_line(scenario))[3:]
        assert command.scenario(command.parse(again)) == scenario
        run = training_of(
            training_parser([*words, "--epsilon", "3"], "p", None).parse_args(
                [*words, "--epsilon", "3"]
            )
        )
        assert run.defense_options == {"topk_rate": 0.5, "bits": 3}
        again = command_line(run)
        for text in ("dprs+topk+quantize", "--topk-rate 0.5", "--bits 3", "--epsilon 3"):
            assert text in again

    def test_a_chain_trains_and_spends_like_its_first_stage(self):
        options = {"bits": 4, "noise_multiplier": 0.5}
        trainer = prepare.prepare(
            training(defense="dpsgd+quantize", defense_options=options)
        ).trainer
        before = trainer.correct(trainer.inputs, trainer.labels)
        for _ in range(trainer.plan.steps):
            release = trainer.advance()
        levels = release.update["1.1.weight"].unique()
        assert len(levels) <= 15
        assert trainer.plan.ledger(1)[0][0] == 0.5
        assert trainer.correct(trainer.inputs, trainer.labels) > before + 20
