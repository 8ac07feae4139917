"""What README, docs and docstrings show runs as it is shown there."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import attacks
import defenses
import victims.transfer
from attacks import audit, membership
from defenses.conformance import examine
from defenses.privacy.tradeoff import epsilon_of
from leakgauge.commands import COMMANDS as SCRIPT
from reports.commands.flags import Parser
from reports.detection import auc, sample
from reports.records import write
from reports.sweep.combine import COMMANDS, command_module
from tests.conftest import seeded
from victims.training.streams import Repeatable
from victims.transfer.conformance import examine as examine_head

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
PACKAGES = [
    *("attacks", "attacks.audit", "attacks.invert", "attacks.membership"),
    *("defenses", "defenses.conformance", "victims", "victims.conformance"),
    "victims.transfer.conformance",
    *("reports", "reports.detection", "reports.estimates", "reports.scores"),
]


def blocks(page: Path, language: str) -> list[str]:
    """A page's code of a language, block by block."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def files(page: Path) -> dict[str, str]:
    """The blocks of a page that begin with the name of the file that they are."""
    named = (re.match(r"# (\w+\.py)\n", block) for block in blocks(page, "python"))
    return {m[1]: m.string for m in named if m}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with every file that the pages show, from which Python imports."""
    for page in PAGES:
        for name, text in files(page).items():
            (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for family in (defenses, attacks.invert, audit, membership, victims.transfer):
        monkeypatch.setattr(family.registry, "_classes", dict(family.registry._classes))
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.parametrize("name", PACKAGES)
def test_the_example_at_the_head_of_a_package_says_what_happens(name):
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 2
    assert not done.failed


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_files_that_a_page_shows_can_be_imported(page, own):
    for name in files(page):
        importlib.import_module(Path(name).stem)


QUICK = {"data": "digits", "model": "mlp", "images": 1, "against": (), "moments": 2}
QUICK |= {"attack": "bayes", "evaluations": 5}
DEFENSES = ("mydefense:Sign", "mysum:PerLayer", "mymirror:Mirror", "softclip:SoftClip")


@pytest.mark.parametrize("name", DEFENSES)
def test_a_defense_that_a_page_shows_is_what_it_says(name, own):
    assert not [str(f) for f in examine(defenses.get(name)) if not f.holds]


ATTACK = "mydescent:Descent"
AUDITOR = "myauditor:Zero"
MEMBERSHIP = "mymargin:Margin"
HEAD = "mymeans:Means"
BASES = {"Inversion": ATTACK, "Auditor": AUDITOR, "Membership": MEMBERSHIP, "Method": HEAD}


def test_nothing_registered_that_a_page_shows_is_left_out(own):
    shown = "".join(text for page in PAGES for text in files(page).values())
    classes = re.findall(r"class (\w+)\((?:\w+\.)?(\w+)\)", shown)
    kinds = {"Defense", "Summed", "Before"}
    known = [*DEFENSES, *BASES.values()]
    classes = [(name, base) for name, base in classes if base != "Module"]
    assert {base for _, base in classes} == kinds | BASES.keys()
    assert sorted(name for name, _ in classes) == sorted(k.partition(":")[2] for k in known)


def test_an_attack_that_a_page_shows_rebuilds_an_undefended_digit(own):
    scenario = attacks.Scenario(
        **{**QUICK, "defense": "none", "attack": ATTACK, "evaluations": 150},
        attack_options={"lr": 0.1},
    )
    record = attacks.run(scenario)
    assert record.rows[0]["attack"] == "my-descent"
    assert record.rows[0]["psnr"] > record.baseline["rows"][0]["psnr"] + 3


def test_an_auditor_that_a_page_shows_is_right_about_one_gaussian(own):
    mu, delta, count = 2.0, 1e-5, 2000
    inserted = torch.arange(count) % 2 == 0
    truth = epsilon_of(mu, delta)
    bounds = []
    for seed in range(20):
        noise = torch.randn(count, generator=seeded(seed), dtype=torch.float64)
        scores = mu * noise + mu**2 * (inserted.double() - 0.5)
        bounds.append(audit.lower_bound(scores, inserted, delta=delta, method=audit.get(AUDITOR)))
    assert min(bounds) > 0
    assert max(bounds) < truth


def test_a_membership_attack_that_a_page_shows_scores_members_higher(own):
    given = evidence()
    members = given.pop("members")
    given["target_logits"] += 3 * torch.eye(3)[given["labels"]] * members[:, None]
    scores = membership.get(MEMBERSHIP).scores(membership.Evidence(**given))
    assert scores.shape == (20,)
    assert auc(sample(scores, members)).mean > 0.8


def test_a_private_head_that_a_page_shows_is_what_it_says(own):
    method = victims.transfer.get(HEAD)
    assert not [str(f) for f in examine_head(method) if not f.holds]
    rows = victims.transfer.bound_rows(torch.eye(3).repeat(10, 1))
    problem = victims.transfer.Problem(rows, torch.arange(30) % 3, 3, 30)
    head = method.fit(problem, victims.transfer.Gaussian(0.1, Repeatable(0, "t")))
    assert (rows.double() @ head.T).argmax(1).equal(problem.labels)


def opacus_parts() -> dict[str, object]:
    """What `make_private` takes, and what a loop around it has."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(400, 3))
    data = TensorDataset(torch.rand(8, 1, 20, 20, generator=seeded()), torch.arange(8) % 3)
    return {
        "model": model,
        "sgd": torch.optim.SGD(model.parameters(), 0.1),
        "loader": DataLoader(data, 4),
        "epochs": 1,
        "criterion": nn.CrossEntropyLoss(),
    }


def private_parts() -> dict[str, object]:
    """What `make_private` gives."""
    from opacus import PrivacyEngine

    given, engine = opacus_parts(), PrivacyEngine()
    model, optimizer, loader = engine.make_private(
        module=given["model"],
        optimizer=given["sgd"],
        data_loader=given["loader"],
        noise_multiplier=1.0,
        max_grad_norm=1.0,
    )
    parts = {"engine": engine, "model": model, "optimizer": optimizer, "loader": loader}
    scores = torch.arange(60.0)
    return {**given, **parts, "epochs": 2, "scores": scores, "inserted": scores > 29}


def evidence() -> dict[str, object]:
    """Logits of target, shadows and population, and who was a member."""
    draw = seeded()

    def logits(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, 3, generator=draw)

    return {
        "target_logits": logits(20),
        "labels": torch.arange(20) % 3,
        "shadow_logits": logits(4, 20),
        "shadow_members": torch.arange(4)[:, None] % 2 == torch.arange(20) % 2,
        "population_target_logits": logits(30),
        "population_shadow_logits": logits(4, 30),
        "population_labels": torch.arange(30) % 3,
        "members": torch.arange(20) < 10,
    }


def folder() -> dict[str, object]:
    """The folder of a run, where Python was started."""
    write(attacks.run(attacks.Scenario()), Path("runs/invert-HASH"))
    return {}


GIVEN = {
    "audits": private_parts,
    "membership": evidence,
    "records": folder,
    "training": opacus_parts,
}
"""Page -> what its statements take from the reader."""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_statements_that_a_page_shows_run(page, own, monkeypatch, capsys):
    run = attacks.run
    monkeypatch.setattr(attacks, "run", lambda s, **_: run(replace(s, **QUICK)), raising=False)
    names = GIVEN.get(page.stem, dict)() | {"pytest": pytest}
    for block in blocks(page, "python"):
        if block not in files(page).values():
            exec(compile(block, str(page), "exec"), names)


SHORT = {name: command.flags.partition(":")[0] for name, command in SCRIPT.items()}
SHORT = {name: module.removesuffix(".command") for name, module in SHORT.items()}
"""What comes after ``leakgauge`` -> what comes after ``python -m``."""


def commands(page: Path) -> list[list[str]]:
    """The words after ``python -m`` of every command on a page that runs a Scenario."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    found = [shlex.split(line.split("python -m ")[-1], comments=True) for line in lines]
    for words in found:
        if words[:1] == ["leakgauge"]:
            words[:2] = [SHORT[words[1]]]
    return [w for w in found if w and w[0] in COMMANDS and not {"...", "$common", "--help"} & {*w}]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_commands_that_a_page_shows_are_understood(page, own, capsys):
    for module, *words in commands(page):
        parsed = command_module(module).parser(words)
        assert isinstance(parsed, Parser)
        parsed.parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_files_that_a_page_names_are_there(page):
    linked = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    missing = [path for path in linked if not (page.parent / path).exists()]
    rooms = "attacks|defenses|docs|reports|tests|victims"
    named = re.findall(rf"`((?:{rooms})/[\w/.-]+)`", page.read_text())
    places = [path for path in named if "NAME" not in path and "KIND" not in path]
    missing += [path for path in places if not (ROOT / path).exists()]
    assert not missing
