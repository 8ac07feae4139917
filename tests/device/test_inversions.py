"""An inversion on a device gives the image that it gives on the CPU."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

import attacks
import victims
from attacks import invert
from reports.scores import psnr
from tests.conftest import configured, seeded
from tests.device.pretend import BACK, READ, THERE, counted

SHORT = {"iterations": 12, "practice": 0, "restarts": 1}
LAYERED = ("analytic", "peel", "spear")
"""Attacks that need a linear layer first."""
HONEST = [name for name in invert.names() if name not in ("imprint", "sme")]
"""Attacks on one gradient that an honest server sees: of the other two one needs a server that
cheats and one local steps."""
SOLVED = [("peel", "convnet"), ("peel", "mlp"), ("analytic", "mlp"), ("peel", "resnet20-4")]


def brief(name):
    fields = invert.registry.find(name).__dataclass_fields__
    return invert.get(name, **{k: v for k, v in SHORT.items() if k in fields})


def on(device, model, release, threat):
    """The same problem on a device."""
    update = {k: v.to(device) for k, v in release.update.items()}
    public = dict(release.public)
    if public.get("mask"):
        public["mask"] = {k: v.to(device) for k, v in public["mask"].items()}
    far = dataclasses.replace(release, update=update, public=public)
    return copy.deepcopy(model).to(device), cross_entropy, far, threat


def column(name, defense, adaptive, model):
    quick = (defense, adaptive) == ("none", True) and name in ("geiping", "prior", "peel")
    marks = [] if quick or (name, defense) == ("analytic", "none") else [pytest.mark.slow]
    return pytest.param(name, defense, adaptive, model, marks=marks)


@pytest.mark.parametrize(
    ("name", "defense", "adaptive", "model"),
    [
        column(name, defense, adaptive, "mlp" if name in LAYERED else "lenet")
        for name in HONEST
        for defense in ("none", "dprs")
        for adaptive in (True, False)
    ],
)
def test_every_attack_gives_a_guess_on_the_cpu(name, defense, adaptive, model, device, observe):
    model = victims.load_model(model)
    release, threat, images, _ = observe(model, configured(defense), adaptive=adaptive)
    assert brief(name).refusal(model, threat) == ""
    problem = on(device, model, release, threat)
    guess = brief(name).reconstruct(*problem, generator=seeded())
    assert guess.images.device.type == guess.labels.device.type == "cpu"
    expected = brief(name).reconstruct(model, cross_entropy, release, threat, generator=seeded())
    assert guess.labels.tolist() == expected.labels.tolist()
    assert guess.stopped == expected.stopped
    if defense == "none":  # an optimiser's path forks at roundings; how far it comes does not
        score, same = (psnr(g.images, images).item() for g in (guess, expected))
        assert abs(score - same) < 0.5 or min(score, same) > 50


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), SOLVED)
def test_what_is_solved_on_the_cpu_is_solved_on_the_device(name, model, device, observe):
    net = victims.load_model(model)
    release, threat, images, labels = observe(net, configured("none"))
    problem = on(device, net, release, threat)
    guess = invert.get(name).reconstruct(*problem, generator=seeded())
    assert psnr(guess.images, images).item() > 50
    assert guess.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("name", ["geiping", pytest.param("dlg", marks=pytest.mark.slow)])
def test_an_iteration_reads_few_numbers(name, device, observe):
    model = victims.load_model("lenet")
    release, threat, _, labels = observe(model, configured("none"))
    known = dataclasses.replace(threat, labels=labels)
    problem = on(device, model, release, known)
    spent = []
    for iterations in (5, 25):
        attack = dataclasses.replace(brief(name), iterations=iterations)
        with counted() as crossings:
            done = attack.reconstruct(*problem, generator=seeded()).iterations
        spent.append((done, crossings))
    (few, first), (many, second) = spent
    steps = max(1, many - few)
    assert (second[BACK] - first[BACK]) / steps <= 2  # scipy's L-BFGS works on the CPU
    assert (second[THERE] - first[THERE]) / steps <= 2
    assert (second[READ] - first[READ]) / steps <= 4


@pytest.mark.slow
@pytest.mark.parametrize("attack", HONEST)
def test_a_study_of_every_attack_is_scored_on_the_cpu(attack, device):
    options = {k: v for k, v in dataclasses.asdict(brief(attack)).items() if k in SHORT}
    scenario = invert.Scenario(
        data="photos",
        model="mlp" if attack in LAYERED else "lenet",
        images=2,
        batch=2 if attack in ("geiping", "dlg", "auto") else 1,
        attack=attack,
        attack_options=options,
        moments=2,
    )
    record = attacks.run(scenario, device=device)
    assert all(v.device.type == "cpu" for v in record.arrays.values())
    assert all(torch.isfinite(v).all() for v in record.arrays.values())
