"""What is particular to each defense of the catalogue, and the attacks that break them."""

from __future__ import annotations

import dataclasses
import math
import shlex

import pytest
import torch
from opacus.accountants import RDPAccountant
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import invert
from attacks.invert import Threat, command
from defenses import BadInput, Release, Side
from defenses.chains.chain import Chain
from defenses.methods.adaptive import SHORT
from tests.conftest import configured, random_gradients, seeded
from victims.train import command_line
from victims.training import Training, prepare
from victims.training.flags import training_of, training_parser
from victims.training.state import restore, state


def mean_of(grads):
    return {k: g.mean(0) for k, g in grads.items()}


def flat(update):
    return torch.cat([v.flatten() for v in update.values()])


def rms(values):
    return float(values.square().mean().sqrt())


@pytest.fixture(scope="module")
def digit():
    """A photograph's place is taken by a digit, whose gradients are small: model, image, label."""
    private = victims.load_data("digits", count=1)
    auxiliary = victims.load_data("digits", split="train", count=128)
    shape = tuple(private.images.shape[1:])
    model = victims.load_model("lenet", image_shape=shape, classes=10)
    grads = victims.per_example_gradients(model, cross_entropy, private.images, private.labels)
    known = {
        "image_shape": shape,
        "classes": 10,
        "batch_size": 1,
        "auxiliary_images": auxiliary.images,
        "auxiliary_labels": auxiliary.labels,
        "labels": private.labels,
        "seconds": 100.0,
    }
    return model, private, grads, known


class TestQuantize:
    def test_rounding_is_unbiased_and_to_neighbouring_levels(self):
        grads, count = random_gradients(batch=1), 400
        shield = configured("quantize", bits=3)
        true = mean_of(grads)
        seen = [shield.release(grads, generator=seeded(i)).update for i in range(count)]
        for key, value in true.items():
            step = float(value.abs().max()) / 3
            drawn = torch.stack([s[key] for s in seen])
            levels = drawn / step
            assert torch.allclose(levels, levels.round(), atol=1e-4)
            assert float((drawn - value).abs().max()) < step
            # Six standard errors; a coordinate's std is at most half a step.
            assert float((drawn.mean(0) - value).abs().max()) < 6 * 0.5 * step / math.sqrt(count)

    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_the_release_tells_the_size_of_the_rounding_error(self, bits, digit):
        for grads in (random_gradients(), digit[2]):
            shield = configured("quantize", bits=bits)
            release = shield.release(grads, generator=seeded())
            error = rms(flat(release.update) - flat(mean_of(grads)))
            assert 0.9 * error <= shield.noise(release) <= 1.7 * error
            assert release.public["noise_std"] == 0
            assert release.wire_bytes <= -(-1240 * bits // 8) + 8 or grads is digit[2]

    def test_what_is_mostly_zero_is_sent_as_indices(self):
        sparse = {"w": torch.zeros(1, 1000)}
        sparse["w"][0, :10] = 1.0
        release = configured("quantize", bits=8).release(sparse, generator=seeded())
        assert release.wire_bytes == 4 + 10 * 5 + 4


class TestSign:
    def test_any_gradient_with_the_same_signs_explains_it_and_no_other(self):
        grads = random_gradients(batch=1)
        shield = configured("sign", scale=0.01)
        release = shield.release(grads, generator=seeded())
        assert flat(release.update).abs().unique().tolist() == pytest.approx([0.01])
        stretched = {k: g * (1 + random_gradients(1, seed=4)[k].abs()) for k, g in grads.items()}
        explained = shield.replay(stretched, release)
        assert torch.equal(flat(explained), flat(release.update))
        # One coordinate turned, of the root-mean-square size: that sign is explained as turned.
        turned = {k: g.sign() for k, g in grads.items()}
        turned["bias"][0, 3] *= -1
        explained = shield.replay(turned, release)
        assert float(explained["bias"][3]) == pytest.approx(-float(release.update["bias"][3]))
        assert int((explained["bias"] != release.update["bias"]).sum()) == 1

    def test_one_bit_each_unless_zeros_must_be_told_apart(self):
        grads = random_gradients()
        assert configured("sign").release(grads, generator=seeded()).wire_bytes == 1240 // 8
        grads["bias"][:, :5] = 0
        release = configured("sign").release(grads, generator=seeded())
        assert release.wire_bytes == 2 * 1240 // 8
        assert not release.update["bias"][:5].any()


def test_pruning_is_per_layer_where_topk_is_not():
    grads = random_gradients()
    grads["bias"] *= 1e-3
    kept = {
        name: {k: int((v != 0).sum()) for k, v in release.update.items()}
        for name in ("prune", "topk")
        for release in [configured(name, rate=0.9).release(grads, generator=seeded())]
    }
    assert kept["prune"] == {"weight": 120, "bias": 4}
    assert kept["topk"] == {"weight": 124, "bias": 0}


def test_layers_are_clipped_apart_and_together_stay_within_the_norm():
    names = {"1.weight": (40, 30), "1.bias": (40,), "2.weight": (5, 6), "free": (7,)}
    draw = seeded()
    grads = {k: 100 * torch.randn(1, *s, generator=draw) for k, s in names.items()}
    shield = configured("perlayer", clip=3.0, noise_multiplier=0.0)
    update = shield.release(grads, generator=seeded()).update
    layers = [("1.weight", "1.bias"), ("2.weight",), ("free",)]
    for layer in layers:  # one module's parameters together
        assert float(flat({k: update[k] for k in layer}).norm()) == pytest.approx(math.sqrt(3))
    assert float(flat(update).norm()) == pytest.approx(3.0)
    # With one layer it is DP-SGD.
    single = random_gradients()
    ours, plain = (configured(n).release(single, generator=seeded()) for n in ("perlayer", "dpsgd"))
    assert torch.equal(flat(ours.update), flat(plain.update))


class TestAdaptive:
    @pytest.mark.parametrize("share", [0.01, 0.3])
    @pytest.mark.parametrize("noise", [0.5, 1.0, 4.0])
    def test_sum_and_count_together_cost_what_is_claimed(self, noise, share):
        shield = configured("adaptive", noise_multiplier=noise, count_share=share)
        sum_noise, count_noise = shield.noise_of_sum(), shield.noise_of_count()
        # Theorem 1, as Opacus' AdaClipDPOptimizer has it.
        assert sum_noise == pytest.approx((noise**-2 - (2 * count_noise) ** -2) ** -0.5)
        both, one = RDPAccountant(), RDPAccountant()
        both.history = [(sum_noise, 1.0, 30), (2 * count_noise, 1.0, 30)]
        one.history = [(shield.effective_noise(), 1.0, 30)]
        assert both.get_epsilon(1e-5) == pytest.approx(one.get_epsilon(1e-5), rel=1e-6)
        spent = shield.epsilon(steps=30, sample_rate=0.1, delta=1e-5)
        assert spent == configured("dpsgd", noise_multiplier=noise).epsilon(
            steps=30, sample_rate=0.1, delta=1e-5
        )

    def test_an_example_moves_the_count_by_a_half(self):
        shield = configured("adaptive", clip=1.0)
        count = [
            float(shield.contribute(random_gradients(batch=b, scale=s), {})[SHORT])
            for b, s in ((1, 1e-3), (1, 1e3), (7, 1e-3), (0, 1.0))
        ]
        assert count == [0.5, -0.5, 3.5, 0.0]

    def test_the_norm_follows_the_quantile(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("adaptive", clip=0.1, noise_multiplier=0.0, quantile=0.7)
        shield = shield.informed(Side(memory=memory))
        scales = torch.linspace(0.5, 1.5, 50)
        grads = {
            k: g[:1] * scales.view(-1, *[1] * (g.ndim - 1)) for k, g in random_gradients().items()
        }
        norms = torch.stack([g.flatten(1).square().sum(1) for g in grads.values()]).sum(0).sqrt()
        clips = [
            shield.release(grads, step=t, generator=seeded(t)).public["clip"] for t in range(80)
        ]
        assert clips[0] == pytest.approx(0.1)
        assert clips[1] == pytest.approx(0.1 * math.exp(0.2 * 0.7))
        assert clips[-1] == pytest.approx(float(norms.quantile(0.7)), rel=0.05)

    def test_the_count_is_noisy_as_stated(self):
        shield = configured("adaptive", noise_multiplier=1.0, clip_rate=1.0, count_share=0.04)
        logs = []
        for turn in range(400):
            memory: dict[str, torch.Tensor] = {}
            nothing = random_gradients(batch=0)
            shield.informed(Side(memory=memory)).release(
                nothing, batch_size=40, generator=seeded(turn)
            )
            logs.append(math.log(float(memory["adaptive.clip"])))
        found = torch.tensor(logs, dtype=torch.float64)
        std = 2.5 / 40  # sigma_b = 1 / (2 sqrt(0.04))
        assert float(found.std()) == pytest.approx(std, rel=5 / math.sqrt(800))
        assert abs(float(found.mean())) < 5 * std / math.sqrt(400)

    def test_a_release_does_not_depend_on_how_its_own_batch_was_counted(self):
        shield = configured("adaptive", clip=1.0).informed(Side(memory={}))
        facts = [
            shield.release(random_gradients(scale=s), generator=seeded()).public
            for s in (1e-3, 1e3)
        ]
        assert facts[0]["clip"] == 1.0
        assert facts[1]["clip"] != 1.0  # of the second step: the first one's count is out


class TestRandK:
    def test_releases_and_memory_sum_to_the_truth(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("randk", rate=0.9).informed(Side(memory=memory))
        batches = [random_gradients(seed=i) for i in range(12)]
        sent = [
            shield.release(g, step=i, steps=12, generator=seeded(i)).update
            for i, g in enumerate(batches)
        ]
        for key in batches[0]:
            owed = memory[f"randk.{key}"]
            total = sum(s[key] for s in sent) + owed
            assert torch.allclose(total, sum(g[key].mean(0) for g in batches), atol=1e-5)
            assert owed.any()

    def test_rounds_are_what_an_adversary_adds_up(self):
        """The same masks in single rounds with a memory, and in one release of five rounds."""
        grads, rounds = random_gradients(batch=1), 5
        shield = configured("randk", rate=0.6)
        memory: dict[str, torch.Tensor] = {}
        last = {k: torch.zeros(g.shape[1:]) for k, g in grads.items()}
        total = {k: torch.zeros(g.shape[1:]) for k, g in grads.items()}
        for turn in range(rounds):
            one = shield.informed(Side(memory=memory, mask_seed=3))
            release = one.release(grads, step=turn, steps=rounds, generator=seeded())
            for key, value in release.update.items():
                total[key] += value / rounds
                last[key][release.public["mask"][key]] = turn + 1
        heard = {k: v / rounds for k, v in last.items()}
        release = Release(total, {**shield.public(1), "heard": heard})
        explained = shield.replay(grads, release)
        assert all(torch.allclose(explained[k], total[k], atol=1e-5) for k in total)
        listening = dataclasses.replace(shield, rounds=rounds).release(grads, generator=seeded())
        known = float(flat(listening.public["mask"]).float().mean())
        assert known == pytest.approx(1 - 0.6**rounds, abs=0.05)
        assert float(flat(release.public["heard"]).bool().float().mean()) > 0.85
        assert listening.wire_bytes == rounds * 4 * (1240 - int(0.6 * 1240))

    def test_rounds_belong_to_a_single_release(self):
        shield = configured("randk", rounds=2).informed(Side(memory={}))
        with pytest.raises(BadInput, match="rounds are those of a single release"):
            shield.release(random_gradients(), generator=seeded())


class TestDPTopK:
    def test_after_the_warm_up_the_highest_scores_are_kept_whatever_the_batch(self):
        memory: dict[str, torch.Tensor] = {}
        shield = configured("dptopk", rate=0.9, warmup_share=0.5, noise_multiplier=0.02)
        shield = shield.informed(Side(memory=memory))
        strong = {k: torch.zeros_like(g) for k, g in random_gradients().items()}
        strong["weight"][:, :4] = 1.0  # 120 coordinates with all the energy
        for step in range(2):
            release = shield.release(strong, step=step, steps=4, generator=seeded(step))
            assert "mask" not in release.public
        masks = [
            shield.release(random_gradients(seed=s), step=s, steps=4, generator=seeded(s))
            for s in (2, 3)
        ]
        for release in masks:
            mask = release.public["mask"]
            assert int(flat(mask).sum()) == 1240 - int(0.9 * 1240)
            assert bool(mask["weight"][:4].all())
            assert not flat(release.update)[~flat(mask)].any()
        assert torch.equal(*(flat(r.public["mask"]) for r in masks))
        assert masks[0].wire_bytes == 4 * 124


class TestSoteria:
    def test_the_largest_features_lose_their_columns_and_all_else_stays(self, digit):
        model, private, grads, _ = digit
        release = configured("soteria", rate=0.75).release(grads, generator=seeded())
        true = mean_of(grads)
        layer = next(k for k, v in true.items() if v.ndim == 2)
        body = model[1][:-1]
        features = body(model[0](private.images))[0].detach()
        gone = ~(release.update[layer] != 0).any(0)
        assert int(gone.sum()) == int(0.75 * len(features))
        assert float(features[gone].abs().min()) >= float(features[~gone].abs().max())
        assert torch.equal(release.update[layer][:, ~gone], true[layer][:, ~gone])
        assert all(torch.equal(release.update[k], v) for k, v in true.items() if k != layer)
        dense = 4 * sum(v.numel() for v in true.values())
        assert release.wire_bytes < dense - 4 * 10 * int(gone.sum()) + 100

    def test_the_layer_can_be_named(self):
        grads = {"a.weight": torch.randn(1, 5, 10), "b.weight": torch.randn(1, 3, 5)}
        release = configured("soteria", rate=0.6, layer="a").release(grads, generator=seeded())
        assert int((~(release.update["a.weight"] != 0).any(0)).sum()) == 6
        assert bool(release.update["b.weight"].all())
        with pytest.raises(BadInput, match=r"no linear layer 'c'; there is a, b"):
            configured("soteria", layer="c").release(grads, generator=seeded())
        with pytest.raises(BadInput, match="no linear layer 'at all'; there is none"):
            configured("soteria").release({"w": torch.randn(1, 4)}, generator=seeded())


def training(**changed):
    start = Training(data="digits", count=200, model="mlp", batch_size=20, epochs=2, lr=0.5)
    return dataclasses.replace(start, **changed)


@pytest.mark.parametrize("name", ["randk", "adaptive", "dptopk", "dpsgd+randk"])
def test_what_is_remembered_survives_a_checkpoint_and_is_not_moved_by_looking(name):
    options = {} if name == "randk" else {"noise_multiplier": 0.5}
    first, second = (
        prepare.prepare(training(defense=name, defense_options=options)).trainer for _ in "ab"
    )
    for _ in range(4):
        first.advance()
    assert first.memory
    before = {k: v.clone() for k, v in first.memory.items()}
    first.release(first.inputs[:3], first.labels[:3], seeded())
    assert all(torch.equal(before[k], first.memory[k]) for k in before)
    restore(second, state(first))
    for _ in range(3):
        ours, theirs = first.advance(), second.advance()
    assert torch.equal(flat(ours.update), flat(theirs.update))
    assert any(not torch.equal(before[k], first.memory[k]) for k in before) or name == "dptopk"


def test_a_later_step_is_not_made_up_without_its_memory():
    assert configured("adaptive").at(0, 9) == configured("adaptive")
    assert configured("randk").at(5, 9) == configured("randk")
    for name in ("adaptive", "dptopk", "adaptive+topk"):
        with pytest.raises(BadInput, match=r"at step 5 depends on the steps before.*--observation"):
            configured(name).at(5, 9)


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
        chain = defenses.get("tests.defenses.methods.test_methods:Halved+topk", rate=0.5)
        grads = random_gradients()
        release = chain.release(grads, generator=seeded())
        half = {k: v / 2 for k, v in mean_of(grads).items()}
        kept = flat(release.update) != 0
        assert int(kept.sum()) == 620
        assert torch.allclose(flat(release.update)[kept], flat(half)[kept])
        assert torch.equal(flat(chain.replay(grads, release)), flat(release.update))
        with pytest.raises(BadInput, match="'Halved' cannot follow another"):
            defenses.get("topk+tests.defenses.methods.test_methods:Halved")

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


@dataclasses.dataclass(frozen=True)
class Halved(defenses.Defense):
    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        update = {k: g.sum(0) / (2 * batch_size) for k, g in grads.items()}
        return Release(update, self.public(batch_size), 4 * sum(v.numel() for v in update.values()))

    def replay(self, grads, release):
        return {k: g.sum(0) / (2 * release.public["batch_size"]) for k, g in grads.items()}


@pytest.mark.parametrize(
    ("name", "options", "gain"),
    [
        ("sign", {}, 6),
        ("prune", {"rate": 0.9}, 10),
        ("soteria", {}, 15),
        ("randk", {"rate": 0.99, "rounds": 300}, 10),
        ("perlayer", {"noise_multiplier": 1e-3}, 10),
        ("quantize", {"bits": 2}, 4),
    ],
)
def test_the_attack_that_knows_the_defense_breaks_it(name, options, gain, digit):
    """Decibels that replaying the defense gains over ignoring it, on one image, briefly."""
    model, private, grads, known = digit
    shield = defenses.get(name, **options)
    release = shield.release(grads, generator=seeded())
    reached = []
    for adaptive in (False, True):
        threat = Threat(defense=shield, adaptive=adaptive, **known)
        guess = invert.get("bayes", iterations=25).reconstruct(
            model, cross_entropy, release, threat, generator=seeded(7)
        )
        reached.append(-10 * math.log10(float((guess.images - private.images).square().mean())))
    assert reached[1] > reached[0] + gain


@pytest.mark.parametrize("name", defenses.names())
def test_a_parameter_without_axes_is_released_and_replayed(name):
    def gradients(batch: int, seed: int) -> dict[str, torch.Tensor]:
        draw = seeded(seed)
        rows = torch.randn(batch, 6, 5, generator=draw)
        return {"weight": rows, "scale": torch.randn(batch, generator=draw)}

    defense, grads = configured(name), gradients(4, 0)
    public = gradients(8, 1)
    known = {"anchors": public, "moved": {k: g[0] for k, g in public.items()}}
    if defense.wants & known.keys():
        defense = defense.informed(Side(**{k: v for k, v in known.items() if k in defense.wants}))
    release = defense.release(grads, step=0, steps=2, generator=seeded())
    replayed = defense.replay(grads, release)
    for made in (release.update, replayed):
        assert made["scale"].shape == ()
        assert made["weight"].shape == (6, 5)
        assert all(torch.isfinite(v).all() for v in made.values())
