"""Weight differences after local steps: released, attacked, told, refused."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import Scenario, invert
from attacks.invert.__main__ import PROG, main
from attacks.invert.contract import Threat
from attacks.invert.matching import label_order, label_surprise, objective
from attacks.invert.observation.load import agree_on_facts
from attacks.invert.show import table
from attacks.invert.study import study
from attacks.invert.victim import Victim
from defenses import BadInput
from defenses.gradients import flat
from reports import records
from reports.commands.entry import run_command
from reports.scores import assign, psnr
from tests.conftest import configured, seeded
from victims.gradients import LocalSteps

FOUR = LocalSteps(4, 0.1, 1)
QUICK = Scenario(
    data="digits",
    images=4,
    batch=2,
    model="linear",
    attack="bayes",
    attack_options={"iterations": 20},
    defense="dpsgd",
    against=("none",),
    local_steps=2,
    local_lr=0.1,
    local_batch=1,
    labels_known=True,
)


@pytest.fixture
def observed(photos, auxiliary):
    """A client's release, what the adversary knows, and the truth."""

    def make(model, local, defense="none", first=0, **known):
        part = slice(first, first + local.images)
        images, labels = photos.images[part], photos.labels[part]
        shield = configured(defense)
        victim = Victim(model, cross_entropy, shield, local=local)
        grads = victim.gradients(images, labels, generator=seeded())
        threat = Threat(
            shield,
            True,
            (3, 32, 32),
            photos.classes,
            local.images,
            auxiliary.images,
            auxiliary.labels,
            local=local,
        )
        release = victim.release(grads, generator=seeded())
        return release, dataclasses.replace(threat, **known), images, labels

    return make


def test_a_scenario_without_local_steps_is_the_one_it_was():
    assert Scenario().key() == "7f3dd6f357"
    assert Scenario(batch=4, attack="bayes", defense="sign").key() == "192e41e569"
    assert not any(name.startswith("local") for name in Scenario().document())
    assert QUICK.document()["local_lr"] == 0.1
    assert Scenario(**{**QUICK.document(), "against": ("none",)}) == QUICK


def test_one_step_over_its_learning_rate_is_the_gradient_exactly(observed, lenet):
    step = LocalSteps(1, 0.5, 1)
    release, threat, images, labels = observed(lenet, step)
    other = dataclasses.replace(threat, local=None)
    grads = victims.per_example_gradients(lenet, cross_entropy, images, labels)
    single = defenses.get("none").release(grads, generator=seeded())
    guess = torch.rand(1, 3, 32, 32, generator=seeded(), dtype=torch.float64)
    moved, seen = objective.residual(lenet, cross_entropy, release, threat, labels)(guess)
    slope, wanted = objective.residual(lenet, cross_entropy, single, other, labels)(guess)
    assert torch.equal(moved / 0.5, slope)
    torch.testing.assert_close(seen / 0.5, wanted, rtol=1e-4, atol=1e-6)  # float32


@pytest.mark.parametrize("name", defenses.names())
def test_every_defense_takes_a_client_as_one_example(name, observed, lenet):
    if defenses.preprocessing.stages(configured(name)):
        with pytest.raises(BadInput, match="acts before the gradient"):
            study(dataclasses.replace(QUICK, defense=name))
        return
    shield = configured(name)
    if shield.wants:
        pytest.skip("its public data are of another model")
    release, threat, images, labels = observed(lenet, FOUR, name)
    assert release.public["batch_size"] == 1
    assert LocalSteps.among(release.public) == FOUR
    compare = objective.residual(lenet, cross_entropy, release, threat, labels)
    explained, seen = compare(images.double())
    assert explained.shape == seen.shape == flat(release.update).shape
    blind = compare(torch.full_like(images, 0.5).double())[0]
    assert (explained - seen).norm() < (blind - seen).norm() or threat.defense.noise(release) > 0


def test_clipping_bounds_what_a_client_does_whatever_it_holds(observed, lenet):
    shield = {"clip": 0.5, "noise_multiplier": 0.0}
    for local in (FOUR, LocalSteps(2, 0.1, 2)):
        victim = Victim(lenet, cross_entropy, defenses.get("dpsgd", **shield), local=local)
        _, _, images, labels = observed(lenet, local)
        grads = victim.gradients(images, labels, generator=seeded())
        assert flat({k: g[0] for k, g in grads.items()}).norm() > 0.5
        release = victim.release(grads, generator=seeded())
        assert 0.499 < flat(release.update).norm() <= 0.5


def test_simulated_steps_rebuild_what_a_surrogate_cannot(observed, lenet):
    two = LocalSteps(2, 0.1, 1)
    release, threat, images, labels = observed(lenet, two, labels=None)
    threat = dataclasses.replace(threat, labels=labels)
    found = {}
    for name, spent in (("bayes", 150), ("sme", 150)):
        guess = invert.get(name, iterations=spent).reconstruct(
            lenet, cross_entropy, release, threat, generator=seeded()
        )
        assert guess.attack == name and guess.iterations <= spent
        order = assign(guess.images, images)
        found[name] = float(psnr(guess.images[order], images).mean())
    assert found["bayes"] > 20
    assert found["bayes"] > found["sme"] + 3


@pytest.mark.parametrize("local", [LocalSteps(3, 0.1, 1), LocalSteps(2, 0.1, 2)])
def test_labels_are_found_in_the_order_of_the_steps(local, monkeypatch):
    monkeypatch.setattr(label_surprise, "CLIENTS", 500)
    digits = victims.load_data("digits")
    own = victims.load_data("digits", split="train")
    model = victims.load_model("mlp", image_shape=(1, 8, 8), classes=10)
    images, labels = digits.images[3 : 3 + local.images], digits.labels[3 : 3 + local.images]
    shield = defenses.get("none")
    victim = Victim(model, cross_entropy, shield, local=local)
    grads = victim.gradients(images, labels, generator=seeded())
    release = victim.release(grads, generator=seeded())
    shape = (1, 8, 8)
    threat = Threat(
        shield, True, shape, 10, local.images, own.images[:256], own.labels[:256], local=local
    )
    found = invert.recover_labels(model, cross_entropy, release, threat)
    wanted = torch.cat([part.sort().values for part in labels.split(local.batch)])
    assert found.tolist() == wanted.tolist()


def test_methods_for_a_gradient_refuse_a_difference(observed, lenet):
    release, threat, *_ = observed(lenet, FOUR)
    for name in ("analytic", "lti", "peel"):
        attack = invert.get(name)
        assert "difference" in attack.refusal(lenet, threat)
        with pytest.raises(BadInput, match="difference"):
            attack.reconstruct(lenet, cross_entropy, release, threat, generator=seeded())
        with pytest.raises(BadInput, match="difference"):
            study(dataclasses.replace(QUICK, attack=name, attack_options={}))


def test_a_threat_of_other_steps_than_the_release_is_refused(observed, lenet):
    release, threat, _, labels = observed(lenet, FOUR)
    for other in (None, LocalSteps(2, 0.1, 2)):
        wrong = dataclasses.replace(threat, local=other)
        with pytest.raises(BadInput, match="the release is of"):
            objective.residual(lenet, cross_entropy, release, wrong, labels)


def test_a_study_says_what_it_protects():
    record = study(QUICK)
    assert record.scenario["local_steps"] == 2
    assert {row["rank"] for row in record.rows} == {None}
    text = table(record)
    assert "batch 2, 2 local steps of 1 at learning rate 0.1" in text
    assert "Neighbours differ by one client with all its images" in text
    assert "client" not in table(study(Scenario(**{**PLAIN, "against": ("none",)})))


PLAIN = {
    "data": "digits",
    "images": 2,
    "model": "linear",
    "attack": "analytic",
    "defense": "dpsgd",
}


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Run the command; what it says when it refuses."""

    def go(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [PROG, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            run_command(main, PROG)
        said = capsys.readouterr().err.strip()
        assert left.value.code == 2
        assert "\n" not in said
        assert not list(tmp_path.glob("*/*.json"))
        return said

    return go


STEPS = ("--local-steps", "4", "--local-lr", "0.1", "--local-batch", "1")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (STEPS[:4], "without local_batch"),
        (STEPS[2:], "without local_steps"),
        ((*STEPS, "--batch", "2"), "batch is 2; 4 local steps of 1 take 4 images"),
        ((*STEPS, "--images", "6"), "6 images do not make whole batches of 4"),
        ((*STEPS[:3], "-1", *STEPS[4:]), "local_lr is -1; it must be > 0"),
        (("--local-steps", "0", *STEPS[2:]), "local_steps and local_batch must be >= 1"),
        ((*STEPS, "--attack", "peel"), "not a weight difference"),
        ((*STEPS, "--attack", "analytic", "--model", "mlp"), "not a weight difference"),
        ((*STEPS, "--defense", "precode"), "acts before the gradient"),
        ((*STEPS, "--checkpoint", "run"), "comes from the run when --checkpoint is given"),
    ],
)
def test_bad_facts_are_refused_in_one_line(refused, flags, message):
    assert message in refused("--data", "digits", *flags)


def test_a_captured_difference_states_its_facts(refused, tmp_path, lenet, observed):
    release, _, _, _ = observed(lenet, FOUR)
    path = tmp_path / "update.safetensors"
    facts = {k: str(v) for k, v in FOUR.facts().items()}
    none = dict.fromkeys(FOUR.facts())
    save_file(release.update, path, metadata=facts)
    assert agree_on_facts(path, none) == agree_on_facts(path, FOUR.facts()) == FOUR.facts()
    shown = ("--observation", path, "--defense", "none")
    assert "states local_lr 0.1, but 0.2 was given" in refused(*shown, "--local-lr", "0.2")
    save_file(release.update, path, metadata=facts | {"local_lr": "fast"})
    assert "states local_lr 'fast', not a number" in refused(*shown)
    save_file(release.update, path, metadata={"local_steps": "4", "local_lr": "0.1"})
    assert "without local_batch" in refused(*shown)
    # What would fill the memory is refused before anything is made of it.
    for many in (facts | {"local_steps": "1000000000"}, {"batch": "1000000000"}):
        save_file(release.update, path, metadata=many)
        assert "is of 1000000000 images; an attack takes 4096 at most" in refused(*shown)
    save_file(release.update, path)
    assert agree_on_facts(path, none) == none


def test_a_captured_difference_is_attacked(tmp_path, monkeypatch, capsys, photos, observed):
    monkeypatch.setattr(label_surprise, "CLIENTS", 64)
    monkeypatch.setattr(label_order, "RACE", ((1e-2, 2, 1),))
    linear = victims.load_model("linear", classes=photos.classes)
    release, _, _, _ = observed(linear, LocalSteps(2, 0.1, 1))
    path = tmp_path / "update.safetensors"
    save_file(release.update, path, metadata={k: str(v) for k, v in QUICK.local.facts().items()})
    monkeypatch.chdir(tmp_path)
    save_file(linear.state_dict(), "weights.safetensors")
    flags = ["--observation", path, "--state", "weights.safetensors", "--defense", "none"]
    flags += ["--model", "linear"]
    code = main(
        [*map(str, flags), "--attack", "bayes", "--iterations", "5", "--noises", "2", "--out", "o"]
    )
    assert code == 0
    record = records.read(tmp_path / "o")
    assert len(record.rows) == 2
    assert record.scenario["local_steps"] == 2 and record.scenario["batch"] == 2
    assert "bayes guessed 2 images" in capsys.readouterr().out
