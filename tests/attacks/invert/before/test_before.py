"""Defenses that act on the model or on the images, and the attacks that know them."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert import command
from attacks.invert.before.adversary import Adversary
from attacks.invert.before.undo import undo_view
from attacks.invert.before.victim import Victim
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import Threat
from attacks.invert.contract import registry as attacks
from attacks.invert.matching.objective import candidate_gradients
from defenses import BadInput, Before, preprocessing
from defenses.conformance import examine
from defenses.methods.ats import ATS, STEPS
from defenses.methods.precode import fed
from defenses.methods.precode_bottleneck import Bottleneck
from reports.records import read
from tests.conftest import SHARED_OPTIONS, random_gradients, seeded
from victims.training import Training
from victims.training.prepare import prepare

ROOT = Path(__file__).parents[4]
HYBRID = ATS()


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * math.log10(float((one - other).square().mean()))


@pytest.fixture(scope="module")
def guarded(lenet):
    """LeNet with a bottleneck that draws."""
    return preprocessing.let_draw(
        preprocessing.equip(defenses.get("precode"), lenet, seeded()).eval()
    )


def seen_by(model, defense, photos, auxiliary, index=0, adaptive=True, batch=1, seed=3):
    """A release of photographs under a defense that acts before the gradient."""
    images, labels = (v[index : index + batch] for v in (photos.images, photos.labels))
    victim = Victim(model, cross_entropy, defense)
    grads = victim.gradients(images, labels, generator=seeded(seed))
    release = defense.release(grads, generator=seeded(seed))
    about = (defense, adaptive, (3, 32, 32), photos.classes, batch)
    threat = Threat(*about, auxiliary.images, auxiliary.labels, 60.0)
    return release, threat, images, labels, grads


def guess_of(attack, model, release, threat):
    """What an adversary makes of a release."""
    victim = Victim(model, cross_entropy, threat.defense)
    return Adversary(attack, threat).guess(victim, release, generator=seeded())


class TestBottleneck:
    def test_the_penalty_is_the_codes_divergence_from_a_normal_one(self):
        torch.manual_seed(0)
        module = Bottleneck(6, 4, weight=0.7).train()
        x = torch.randn(5, 6)
        mean, spread = module.encoder(x).chunk(2, -1)
        far = kl_divergence(Normal(mean, (1 + spread.exp()).log()), Normal(0.0, 1.0))
        wanted = 0.7 * far.sum(1).mean() / math.log(2)
        module(x)
        assert torch.allclose(preprocessing.take_penalty(nn.Sequential(module)), wanted)
        assert preprocessing.take_penalty(module) == 0  # of one pass, asked once
        with torch.no_grad():
            module(x)
        assert preprocessing.take_penalty(module) == 0

    def test_gradients_of_all_kinds_have_the_penalty(self, photos):
        """By vmap, by the loop that is differentiated again, and by the loss written out."""
        plain = victims.load_model("mlp", classes=photos.classes)
        model = defenses.get("precode", divergence=9.0).equip(plain, seeded()).eval()
        images, labels = photos.images[:2], photos.labels[:2]
        parameters = dict(model.named_parameters())
        many = victims.per_example_gradients(model, cross_entropy, images, labels)
        loop = candidate_gradients(model, cross_entropy, images, labels, differentiable=True)
        for i in range(2):
            loss = cross_entropy(model(images[i : i + 1]), labels[i : i + 1])
            (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
            wanted = torch.autograd.grad(loss + module.penalty, list(parameters.values()))
            for name, value in zip(parameters, wanted, strict=True):
                assert torch.allclose(many[name][i], value, rtol=1e-3, atol=1e-5)
                assert torch.allclose(loop[name][i], value, rtol=1e-3, atol=1e-5)
        assert module.penalty is not None
        assert preprocessing.take_penalty(copy.deepcopy(model)) == 0  # a pass is over for a copy

    def test_rows_are_drawn_apart_and_eval_mode_draws_nothing(self):
        module = Bottleneck(6, 4, weight=0.0)
        same = torch.ones(2, 6)
        first, second = module.train()(same)
        assert not torch.allclose(first, second)
        first, second = module.eval()(same)
        assert torch.allclose(first, second, atol=1e-5)

    def test_per_example_gradients_are_those_of_the_loop(self, guarded, photos):
        model = copy.deepcopy(guarded).eval()
        images, labels = photos.images[:3], photos.labels[:3]
        many = victims.per_example_gradients(model, cross_entropy, images, labels)
        for i in range(3):
            part = slice(i, i + 1)
            one = victims.per_example_gradients(model, cross_entropy, images[part], labels[part])
            assert all(torch.allclose(many[k][part], one[k], atol=1e-5) for k in many)


class TestPrecode:
    def test_it_stands_in_front_of_the_last_linear_layer(self, lenet, guarded):
        before = dict(lenet.named_parameters())
        places = [k for k, m in guarded.named_modules() if isinstance(m, Bottleneck)]
        assert len(places) == 1
        linear = [k for k, m in guarded.named_modules() if isinstance(m, nn.Linear)]
        assert linear[-3:-1] == [f"{places[0]}.encoder", f"{places[0]}.decoder"]
        assert dict(lenet.named_parameters()).keys() == before.keys()
        assert preprocessing.draws(guarded)
        assert not preprocessing.draws(lenet)

    def test_the_release_tells_the_draw(self, guarded, photos, auxiliary):
        """Replaying the private image at the solved draw gives the release, to rounding."""
        defense = defenses.get("precode")
        release, _, images, labels, grads = seen_by(guarded, defense, photos, auxiliary)
        model, left = preprocessing.solve(defense, guarded, release)
        again = victims.per_example_gradients(model, cross_entropy, images, labels)
        assert left.update.keys() == again.keys()
        for name, value in left.update.items():
            assert torch.allclose(again[name][0], value, atol=2e-5 * float(value.abs().max()))
        # The bottleneck has told all it knows, and is matched no more.
        assert {k.split(".")[-2] for k in grads.keys() - left.update.keys()} == {
            "encoder",
            "decoder",
        }
        mean = victims.per_example_gradients(
            copy.deepcopy(guarded).eval(), cross_entropy, images, labels
        )
        off = max(
            float((mean[k][0] - v).norm() / v.norm()) for k, v in left.update.items() if v.ndim > 1
        )
        assert off > 0.3  # without the draw there is no matching

    @pytest.mark.parametrize("index", [0, 1])
    def test_a_known_draw_is_no_protection(self, guarded, photos, auxiliary, index):
        found = {}
        for adaptive in (False, True):
            release, threat, images, _, _ = seen_by(
                guarded, defenses.get("precode"), photos, auxiliary, index, adaptive
            )
            attack = attacks.get("bayes", iterations=250)
            guess = guess_of(attack, guarded, release, threat)
            found[adaptive] = psnr(guess.images, images)
        assert found[True] > 20
        assert found[False] < 14

    def test_the_private_image_is_named(self, guarded, photos, auxiliary):
        lineup = Lineup.of(guarded, cross_entropy, auxiliary.images, auxiliary.labels)
        for index in range(2):
            release, threat, images, labels, own = seen_by(
                guarded, defenses.get("precode"), photos, auxiliary, index
            )
            adversary = Adversary(attacks.get("prior"), threat, lineup)
            assert adversary.rank(release, own, images, labels, generator=seeded()) == 1

    def test_what_a_layer_was_fed_with_and_how_sure_that_is(self):
        slope, fed_with = torch.randn(9, 5, generator=seeded()).double().unbind(1)[:2]
        fed_with = torch.cat([fed_with, fed_with])
        update = {"l.weight": torch.outer(slope, fed_with), "l.bias": slope}
        known, error = fed(update, "l", 0.0)
        assert torch.allclose(known, fed_with)
        assert not error.any()
        update["l.weight"][:, 2] = 0
        noisy = {k: v + 0.01 * torch.randn(v.shape, generator=seeded(1)) for k, v in update.items()}
        noisy["l.weight"][:, 2] = 0
        known, error = fed(noisy, "l", 0.01)
        assert known[2] == 0
        assert error[2] > 1e6
        rest = torch.arange(18) != 2
        assert float(((known - fed_with)[rest].square() / error[rest]).mean()) < 6

    def test_noise_shrinks_the_draw_to_its_mean(self, guarded, photos, auxiliary):
        defense = defenses.get("dpsgd+precode", noise_multiplier=100.0)
        release = seen_by(guarded, defense, photos, auxiliary)[0]
        model, left = preprocessing.solve(defense, guarded, release)
        (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
        assert float(module.draw.abs().max()) < 0.5
        assert left is release  # clipping ties all layers together: none may be left out

    def test_in_a_batch_draws_stay_at_their_mean(self, guarded, photos, auxiliary):
        release = seen_by(guarded, defenses.get("precode"), photos, auxiliary, batch=2)[0]
        model, left = preprocessing.solve(defenses.get("precode"), guarded, release)
        (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
        assert not module.draw.any()
        assert not module.training
        assert left is release

    def test_a_bottleneck_fed_with_pixels_is_matched_too(self, photos, auxiliary):
        """Its encoder's gradient is the image: the closed form reads it."""
        plain = victims.load_model("linear", classes=photos.classes)
        model = preprocessing.let_draw(
            preprocessing.equip(defenses.get("precode"), plain, seeded()).eval()
        )
        release, threat, images, _, _ = seen_by(model, defenses.get("precode"), photos, auxiliary)
        guess = guess_of(attacks.get("analytic"), model, release, threat)
        assert psnr(guess.images, images) > 40

    def test_there_must_be_a_place_for_it(self, guarded):
        defense = defenses.get("precode")
        with pytest.raises(BadInput, match="has no linear layer"):
            defense.equip(nn.Sequential(nn.Conv2d(3, 4, 3)), seeded())
        with pytest.raises(BadInput, match="has one already"):
            defense.equip(guarded, seeded())


class TestATS:
    @pytest.mark.parametrize("name", ["brightness", "color", "contrast"])
    @pytest.mark.parametrize("much", [-1.0, 0.5, 1.0])
    def test_steps_are_those_of_pillow(self, photos, name, much):
        enhance = {"brightness": "Brightness", "color": "Color", "contrast": "Contrast"}[name]
        for image in photos.images[:4]:
            levels = (255 * image).round().byte()
            picture = Image.fromarray(levels.permute(1, 2, 0).numpy())
            wanted = getattr(ImageEnhance, enhance)(picture).enhance(1 + 0.5 * much)
            exact = torch.tensor(list(wanted.tobytes())).reshape(32, 32, 3).permute(2, 0, 1) / 255
            found = STEPS[name]((levels / 255)[None], much)[0]
            assert float((found - exact).abs().max()) <= 2 / 255  # grey levels are whole numbers

    def test_images_are_moved_and_blackened(self):
        image = torch.arange(1.0, 17).reshape(1, 1, 4, 4) / 16
        right = STEPS["translateX"](image, 1.0)  # by round(4 * 150 / 331) = 2
        assert torch.equal(right[..., 2:], image[..., :2])
        assert not right[..., :2].any()
        up = STEPS["translateY"](image, -1.0)
        assert torch.equal(up[..., :2, :], image[..., 2:, :])
        assert not up[..., 2:, :].any()
        assert torch.equal(STEPS["invert"](image, -0.3), 1 - image)

    def test_ways_are_all_policies_in_all_directions(self, photos):
        assert HYBRID.ways() == 16
        one = ATS(policy="invert0")
        assert one.ways() == 2  # the same twice: its direction says nothing
        image = photos.images[:1]
        assert torch.equal(one.view(image, 0), one.view(image, 1))
        every = torch.cat([HYBRID.view(image, w) for w in range(16)])
        # contrast7 twice, once up and once down, is nearly the same in either order.
        assert len(every.unique(dim=0)) == 16
        draws = preprocessing.random_views(HYBRID, image.expand(400, -1, -1, -1), seeded())
        assert len(draws.unique(dim=0)) == 16

    @pytest.mark.parametrize("policy", ["", "rotate3", "contrast", "contrastx", "invert1--invert2"])
    def test_unknown_steps_are_named(self, policy):
        with pytest.raises(BadInput, match=r"known: translateX, .*strength from 0 to 9"):
            ATS(policy=policy)

    def test_the_way_is_found_and_undone(self, photos, auxiliary):
        truth = photos.images[:3]
        for way in (1, 4, 11):
            seen = HYBRID.view(truth, way)
            found = undo_view(HYBRID, seen, auxiliary.images)
            for one, shown, image in zip(found, seen, truth, strict=True):
                assert psnr(one, image) > max(psnr(shown, image) + 3, 13)

    def test_an_augmented_image_is_an_image(self, lenet, photos, auxiliary):
        """In the mean over three: the direction of a change of contrast is not always told."""
        found = {False: 0.0, True: 0.0}
        for index in range(3):
            for adaptive in found:
                release, threat, images, _, _ = seen_by(
                    lenet, HYBRID, photos, auxiliary, index, adaptive
                )
                attack = attacks.get("bayes", iterations=150)
                guess = guess_of(attack, lenet, release, threat)
                found[adaptive] += psnr(guess.images, images) / 3
        assert found[True] > found[False] + 5

    def test_the_private_image_is_named_whichever_way_it_was_shown(self, lenet, photos, auxiliary):
        few = auxiliary.images[:15], auxiliary.labels[:15]
        lineup = Lineup.of(lenet, cross_entropy, *few, HYBRID)
        for index in range(3):
            release, threat, images, labels, own = seen_by(
                lenet, HYBRID, photos, auxiliary, index, seed=index
            )
            adversary = Adversary(attacks.get("prior"), threat, lineup)
            assert adversary.rank(release, own, images, labels, generator=seeded()) == 1

    def test_a_guess_of_the_prior_is_left_alone(self, lenet, photos, auxiliary):
        release, threat, _, _, _ = seen_by(lenet, HYBRID, photos, auxiliary)
        guess = guess_of(attacks.get("prior"), lenet, release, threat)
        assert torch.allclose(guess.images[0], auxiliary.images.mean(0), atol=1e-6)


class TestChains:
    def test_the_guarantee_is_that_of_what_clips_and_noises(self):
        at = {"steps": 10, "sample_rate": 0.1, "delta": 1e-5}
        alone = defenses.get("dpsgd", noise_multiplier=1.0)
        for name in ("dpsgd+ats", "dpsgd+precode", "dpsgd+ats+precode"):
            chain = defenses.get(name, noise_multiplier=1.0)
            assert chain.epsilon(**at) == alone.epsilon(**at)
            same = (d.release(random_gradients(), generator=seeded()) for d in (chain, alone))
            one, other = same
            assert all(torch.equal(one.update[k], other.update[k]) for k in one.update)
        assert defenses.get("ats+quantize").epsilon(**at) == math.inf
        with pytest.raises(BadInput, match="'dpsgd' cannot follow another"):
            defenses.get("ats+dpsgd")

    def test_ways_multiply(self, photos):
        @dataclasses.dataclass(frozen=True)
        class Mirrored(Before):
            def ways(self) -> int:
                return 2

            def view(self, images: Tensor, way: int) -> Tensor:
                return images.flip(-1) if way else images

        chain = defenses.get("ats+precode")
        both = dataclasses.make_dataclass("Both", [], bases=(type(chain),), frozen=True)
        both.parts = (("m", Mirrored, ()), *chain.parts[:1])
        assert preprocessing.ways(both(chain.policy)) == 32
        image = photos.images[:1]
        every = torch.cat([preprocessing.view(both(chain.policy), image, w) for w in range(32)])
        assert len(every.unique(dim=0)) == 32

    @pytest.mark.parametrize("name", [n for n in defenses.names() if n not in ("gep", "rgp")])
    def test_a_layer_may_be_left_out_where_layers_are_handled_apart(self, name):
        """`preprocessing.solve` relies on it when it leaves the bottleneck out of the matching."""
        defense = defenses.get(name)
        if not (isinstance(defense, defenses.Summed) and defense.linear):
            return
        grads = random_gradients(batch=2)
        release = defense.release(grads, generator=seeded())
        whole = defense.replay(grads, release)
        part = {"weight": grads["weight"]}
        less = dataclasses.replace(release, update={"weight": release.update["weight"]})
        if name != "soteria":  # one layer is its last linear one either way
            assert torch.allclose(defense.replay(part, less)["weight"], whole["weight"])


class TestConformance:
    @pytest.mark.parametrize("name", ["ats", "precode", "dpsgd+ats+precode", "topk+ats"])
    def test_ours_conform(self, name):
        fields = defenses.registry.find(name).__dataclass_fields__
        options = {k: v for k, v in SHARED_OPTIONS.items() if k in fields}
        assert not [f for f in examine(defenses.get(name, **options)) if not f.holds]

    def test_what_mixes_examples_or_hides_its_draws_is_found(self):
        class Whitened(Before):
            def view(self, images: Tensor, way: int) -> Tensor:
                return (images - images.mean(0) + 0.5).clamp(0, 1)

        class Bright(Before):
            def view(self, images: Tensor, way: int) -> Tensor:
                return 2 * images

        class Jitter(Before):
            def view(self, images: Tensor, way: int) -> Tensor:
                return torch.rand_like(images)

        class Secret(Before):
            def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
                return nn.Sequential(model, nn.Dropout(0.5))

        class Batched(Before):
            def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
                return nn.Sequential(model, nn.Softmax(0))

        class Rude(Before):
            def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
                for p in model.parameters():
                    p.data.zero_()
                return model

        told = {
            Whitened: "otherwise in a batch than alone",
            Bright: r"leaves [0, 1]",
            Jitter: "otherwise in a batch than alone",
            Secret: "has no attribute `draws`",
            Batched: "depend on the others",
            Rude: "handed over is changed",
        }
        for cls, words in told.items():
            (finding,) = [f for f in examine(cls()) if f.check == "before"]
            assert not finding.holds
            assert words in finding.told


class TestTraining:
    def test_every_step_shows_other_images_and_the_same_ones_again(self):
        training = Training(data="digits", model="mlp", defense="ats", count=40, batch_size=20)
        one, other = (prepare(training).trainer for _ in range(2))
        shown = []
        for _ in range(3):
            plain = one.inputs[one.sample()]
            images = one.batch()[0]
            assert images.shape == plain.shape
            assert not torch.equal(images, plain)
            assert torch.equal(images, other.batch()[0])
            shown.append(images)
            one.advance()
            other.advance()
        again = other.weights()
        assert all(torch.equal(v, again[k]) for k, v in one.weights().items())

    @pytest.mark.parametrize("defense", ["precode", "dpsgd+precode"])
    def test_codes_are_drawn_by_the_seed(self, defense):
        options = {"noise_multiplier": 0.0} if "dpsgd" in defense else {}
        about = {"data": "digits", "model": "lenet", "count": 60, "batch_size": 20}
        runs = []
        for seed in (0, 0, 1):
            training = Training(**about, defense=defense, defense_options=options, seed=seed)
            trainer = prepare(training).trainer
            for _ in range(3):
                trainer.advance()
            runs.append(torch.cat([v.flatten() for v in trainer.weights().values()]))
        assert torch.equal(runs[0], runs[1])
        assert not torch.allclose(runs[0], runs[2])

    def test_one_backward_pass_is_the_sum_over_examples(self):
        """The divergence too: per-example gradients against one pass over the batch."""
        training = Training(
            data="digits",
            model="lenet",
            defense="precode",
            defense_options={"divergence": 5.0},
            count=30,
            batch_size=10,
        )
        trainer = prepare(training).trainer
        trainer.net.eval()
        images, labels = trainer.inputs[:7], trainer.labels[:7]
        (whole,) = trainer.chunks(images, labels)
        each = victims.per_example_gradients(trainer.net, cross_entropy, images, labels)
        for name, value in each.items():
            assert torch.allclose(whole[name][0], value.sum(0), rtol=1e-3, atol=1e-5)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"defense": "precode", "layers": "last"}, "in front of the last one"),
            ({"defense": "ats", "model": "scatter-linear"}, "changes images"),
        ],
    )
    def test_where_it_cannot_act_it_says_so(self, changed, message):
        training = Training(**{"data": "digits", "model": "lenet", "count": 64, **changed})
        with pytest.raises(BadInput, match=message):
            prepare(training)


def test_the_command_shows_both_columns_and_names_the_policy(tmp_path, capsys):
    words = "--defense ats --policy contrast5 --against --model mlp --data digits --images 16"
    code = command_main([*words.split(), "--attack", "analytic", "--out", str(tmp_path)])
    assert code == 0
    record = read(tmp_path)
    assert record.summary.keys() == {"ats/adaptive", "ats/naive"}
    means = {k: v["psnr"]["mean"] for k, v in record.summary.items()}
    assert means["ats/adaptive"] > means["ats/naive"] + 3
    assert record.bounds["ats"]["options"]["policy"] == "contrast5"
    assert record.bounds["ats"]["epsilon"] is None
    assert json.loads((tmp_path / "result.json").read_text())


def command_main(words):
    from attacks.invert.__main__ import main

    assert command  # the module that parses what the command runs
    return main(words)


def test_a_run_under_precode_is_attacked_with_its_own_weights(tmp_path):
    from victims.train import main

    words = "--defense precode --data digits --model lenet --count 60 --batch-size 20 --epochs 1"
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 0
    found = command_main(
        [
            *["--checkpoint", str(tmp_path / "run"), "--step", "2", "--images", "1"],
            *["--attack", "bayes", "--evaluations", "30", "--out", str(tmp_path / "attack")],
        ]
    )
    assert found == 0
    record = read(tmp_path / "attack")
    assert record.rows[0]["rank"] == 1


def test_the_pages_own_defense_on_images_is_attacked(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "defenses.md").read_text()
    (tmp_path / "mymirror.py").write_text(page.split("# mymirror.py")[1].split("```")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(defenses.registry, "_classes", dict(defenses.registry._classes))
    words = "--defense mymirror:Mirror --against --data digits --model mlp --images 2"
    assert command_main([*words.split(), "--attack", "analytic", "--out", str(tmp_path / "o")]) == 0
    assert f"python -m attacks.invert {' '.join(words.split()[:2])}" in page
    record = read(tmp_path / "o")
    assert {r["rank"] for r in record.rows if r["adaptive"]} == {1}


@pytest.mark.slow
def test_a_flower_clients_photograph_comes_out(tmp_path):
    """The page's example; for those who have Flower (pip install "flwr[simulation]")."""
    pytest.importorskip("flwr")
    example = ROOT / "docs" / "examples" / "flower_attack.py"
    command = [sys.executable, str(example), "--out", str(tmp_path), "--image", "1"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=300)
    guess = read(tmp_path / "attack").arrays["none/adaptive"]
    assert psnr(guess[0], victims.load_data("photos").images[1]) > 20
