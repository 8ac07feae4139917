"""The command: a Record as trainings leave one, found again, refused in one line."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
import torch

from defenses import BadInput
from defenses.privacy.accounting import gaussian_epsilon
from reports import records
from reports.commands.claim import claim
from reports.commands.entry import run_command
from reports.records.find import gather
from reports.records.kinds import sort_out
from victims.transfer import prepare, show, study
from victims.transfer.__main__ import main
from victims.transfer.command import PROG, command_line, parse, scenario
from victims.transfer.compare import WRITES
from victims.transfer.compare import main as compare
from victims.transfer.contract import registry
from victims.transfer.features import store
from victims.transfer.head import read_head
from victims.transfer.plan import make_plan
from victims.transfer.scenario import Transfer
from victims.transfer.table import main as table_of

FLAGS = ["--backbone", "raw", "--count", "300"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))


def record_in(folder: str) -> records.Record:
    found = records.read(Path(folder))
    assert found is not None
    return found


def prepared(**changed):
    transfer = Transfer(**({"backbone": "raw", "count": 300, "epsilon": 1.0} | changed))
    return prepare.prepare(transfer, folder=store())


@pytest.mark.parametrize("method", ["dp-ls", "dp-fc"])
def test_a_head_is_fitted_recorded_and_found_again(method, capsys):
    words = [*FLAGS, "--method", method, "--epsilon", "8", "--out", "out"]
    assert main(words) == 0
    first = record_in("out")
    told = capsys.readouterr().out
    assert "always naming the most frequent class" in told
    assert "epsilon 8 at delta 1e-05" in told
    assert main(words) == 0
    assert "holds this result already" in capsys.readouterr().out
    assert main([*words, "--fresh"]) == 0
    assert records.canonical(record_in("out")) == records.canonical(first)
    head, facts = read_head(Path("out/head.safetensors"))
    assert head.shape == (10, 64)
    assert facts["scenario"] == first.scenario


def test_a_record_is_read_as_a_trainings(tmp_path):
    main([*FLAGS, "--epsilon", "4", "--steps", "3", "--out", "out"])
    found = sort_out(gather([tmp_path / "out"]))
    assert not found.gathered.skipped
    (run,) = found.trainings
    assert (run.facts["defense"], run.facts["model"]) == ("dp-fc", "raw")
    assert run.options["steps"] == 3
    assert run.epsilons == {"rdp": pytest.approx(4), "prv": pytest.approx(4)}
    assert run.holds
    assert run.guess == pytest.approx(0.102)


def test_a_page_shows_it(tmp_path):
    from reports.build import main as build

    main([*FLAGS, "--epsilon", "4", "--out", "out"])
    assert build(["out", "--out", "report"]) == 0
    assert "dp-fc" in (tmp_path / "report/index.html").read_text()


def test_the_command_line_says_the_scenario_again():
    words = [*FLAGS, "--method", "dp-newton", "--steps", "2", "--conversion", "zcdp"]
    words += ["--noise-multiplier", "3", "--seed", "4", "--delta", "1e-6"]
    transfer = scenario(parse(words))
    again = command_line(transfer)
    assert scenario(parse(again.split()[3:])) == transfer


def test_the_noise_spends_the_epsilon_and_the_papers_conversion_takes_more():
    exact, loose = (
        make_plan(Transfer(method="dp-fc", epsilon=1.0, conversion=c), 1000)
        for c in ("exact", "zcdp")
    )
    assert exact.epsilon() == pytest.approx(1, rel=1e-6)
    assert exact.epsilon() == gaussian_epsilon(exact.noise, steps=11, sample_rate=1, delta=1e-5)
    assert loose.noise / exact.noise == pytest.approx(1.31, abs=0.006)
    assert loose.zcdp_epsilon() == pytest.approx(1, rel=1e-6)


def test_sampled_steps_are_accounted_by_sampling():
    plan = make_plan(
        Transfer(method="dp-sgd", options={"batch_size": 100, "steps": 50}, epsilon=1.0), 1000
    )
    assert plan.sample_rate == 0.1
    assert plan.mu is None
    full = make_plan(
        Transfer(method="dp-sgd", options={"batch_size": 1000, "steps": 50}, epsilon=1.0), 1000
    )
    assert plan.noise < full.noise
    assert 0.99 < plan.epsilon() <= 1.0


def test_noise_is_another_where_an_example_or_an_option_is():
    base = prepared()
    others = [
        prepared(seed=1),
        prepared(options={"steps": 11}),
        prepared(delta=1e-6),
        dataclasses.replace(base, content="another image"),
    ]
    drawn = [p.mechanism().release(torch.zeros(5), 1.0, "sum") for p in (base, *others)]
    scaled = torch.stack([d / p.plan.noise for d, p in zip(drawn, (base, *others), strict=True)])
    assert len(scaled.unique(dim=0)) == 5
    assert torch.equal(base.mechanism().release(torch.zeros(5), 1.0, "sum"), drawn[0])


def test_the_content_of_a_run_changes_with_an_example(monkeypatch):
    base = prepared()
    real = prepare.load

    def another(transfer, data_root=None):
        train, test = real(transfer, data_root)
        images = train.images.clone()
        images[0, 0, 0, 0] = 1 - images[0, 0, 0, 0]
        return dataclasses.replace(train, images=images), test

    monkeypatch.setattr(prepare, "load", another)
    assert prepared().content != base.content


def test_a_class_that_no_private_example_has_is_in_the_head_all_the_same(monkeypatch):
    real = prepare.load

    def fewer(transfer, data_root=None):
        train, test = real(transfer, data_root)
        return train.take((train.labels < 9).nonzero()[:, 0]), test

    monkeypatch.setattr(prepare, "load", fewer)
    less = prepared(method="dp-ls")
    assert int(less.problem.labels.max()) == 8
    assert study.fit(less)[0].shape == (10, 64)


def test_noise_is_another_where_the_backbones_own_code_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    told = set()
    for factor in (1, 2):
        path = tmp_path / "own_scaled.py"
        path.write_text(
            "from torch import nn\n\n\nclass Scaled(nn.Flatten):\n"
            "    def forward(self, images):\n"
            f"        return {factor} * super().forward(images).clamp(0.1)\n\n\n"
            "def make(shape):\n    return Scaled()\n"
        )
        monkeypatch.delitem(sys.modules, "own_scaled", raising=False)
        told.add(prepared(backbone="own_scaled:make").content)
    monkeypatch.delitem(sys.modules, "own_scaled")
    assert len(told) == 2


def test_a_method_that_releases_more_than_it_says_is_stopped(monkeypatch):
    base = prepared()
    method = base.plan.method
    monkeypatch.setattr(type(method), "releases", lambda self: self.steps)
    with pytest.raises(RuntimeError, match="11 releases, and 10 were accounted for"):
        study.fit(base)


def test_without_noise_the_head_is_the_control_and_nothing_is_promised(capsys):
    assert main([*FLAGS, "--epsilon", "inf", "--out", "out"]) == 0
    record = record_in("out")
    assert record.summary["accuracy"] == record.summary["without_noise"]
    assert record.bounds["epsilon"] == {"rdp": None, "prv": None}
    assert "nothing is guaranteed" in capsys.readouterr().out


def test_many_features_are_told_what_their_square_takes(monkeypatch):
    base = prepared()
    assert "GiB" not in show.describe(base)
    monkeypatch.setattr(show, "LARGE", 64)
    assert "64 features: 0.0 GiB" in show.describe(base)
    assert "GiB" not in show.describe(prepared(method="dp-adam"))


def test_other_data_of_the_same_name_are_noticed():
    words = [*FLAGS, "--out", "out"]
    main(words)
    path = Path("out/result.json")
    document = json.loads(path.read_text())
    document["environment"]["data_sha256"] = "0" * 64
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="on other images"):
        main(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epsilon", "0"], "epsilon is 0"),
        (["--epsilon", "-1"], "epsilon is -1"),
        (["--epsilon", "nan"], "epsilon is nan"),
        (["--epsilon", "1e-9"], "epsilon is 1e-09"),
        (["--noise-multiplier", "-1"], "noise-multiplier is -1"),
        (["--epsilon", "1", "--noise-multiplier", "1"], "one of --epsilon and --noise-multiplier"),
        (["--epsilon", "inf", "--noise-multiplier", "1"], "one of --epsilon"),
        (["--delta", "0"], "delta is 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--method", "dp-magic"], "unknown method 'dp-magic'; known: dp-adam, dp-fc"),
        (["--backbone", "resnet"], "unknown backbone"),
        (["--data", "nothing"], "unknown data"),
        (["--count", "0"], "count is 0"),
        (["--steps", "0"], "steps is 0"),
        (["--method", "dp-sgd", "--batch-size", "301"], "larger than the 300 examples"),
        (
            ["--method", "dp-sgd", "--batch-size", "30", "--conversion", "zcdp"],
            "dp-sgd samples",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left(words, told, tmp_path):
    with pytest.raises(BadInput, match=told) as raised:
        main([*FLAGS, *words, "--out", "out"])
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "features").exists()


def test_bad_input_leaves_with_2_and_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["", *FLAGS, "--epsilon", "0"])
    with pytest.raises(SystemExit) as left:
        run_command(main, PROG)
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_method_is_told_in_the_help_and_the_table_of_the_docs():
    page = (Path(__file__).parents[3] / "docs/transfer.md").read_text()
    for name in registry.names():
        assert f"`{name}`" in page


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_what_is_no_head_is_refused(damage, tmp_path):
    path = tmp_path / "head.safetensors"
    if damage == "cut":
        path.write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    elif damage == "other":
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(2, 3)}, path)
    with pytest.raises(BadInput, match="head"):
        read_head(path)


def test_a_secure_head_cannot_be_drawn_again_and_its_record_says_nothing_of_the_data(capsys):
    words = [*FLAGS, "--method", "dp-ls", "--epsilon", "8", "--secure"]
    for out in ("one", "two"):
        assert main([*words, "--out", out]) == 0
    told = capsys.readouterr().out
    assert "operating system" in told
    assert "without noise" not in told
    heads = [read_head(Path(f"{out}/head.safetensors"))[0] for out in ("one", "two")]
    assert not torch.allclose(*heads)
    record = record_in("one")
    assert "data_sha256" not in record.environment
    assert set(record.summary) == {"accuracy"}
    assert record.scenario["secure"] is True
    assert "--secure" in record.environment["command"]
    before = Path("one/head.safetensors").read_bytes()
    with pytest.raises(BadInput, match="spends its epsilon again"):
        main([*words, "--out", "one", "--fresh"])
    assert Path("one/head.safetensors").read_bytes() == before
    assert main([*words, "--out", "one"]) == 0
    assert "holds this result already" in capsys.readouterr().out
    assert table_of(["one"]) == 0
    assert len(sort_out(gather([Path("one")])).trainings) == 1


def test_without_secure_scenarios_have_the_keys_that_they_had():
    assert "secure" not in Transfer(epsilon=1.0).document()
    assert Transfer(epsilon=1.0).key() != Transfer(epsilon=1.0, secure=True).key()


def test_heads_of_many_methods_and_epsilons_are_compared_and_found_again(tmp_path, capsys):
    words = ["--backbone", "raw", "--method", "dp-ls", "dp-fc,steps=2", "--seeds", "2"]
    words += ["--epsilon", "1", "8", "inf", "--out", "heads"]
    assert compare(words) == 0
    told = capsys.readouterr().out
    assert "| digits, raw | dp-ls |" in told
    assert "steps 2" in told
    assert (tmp_path / "heads/accuracy.png").stat().st_size > 5000
    folders = {p.parent for p in tmp_path.glob("heads/*/result.json")}
    assert len(folders) == 2 * (2 * 2 + 1)
    wanted = {"epsilon": 8.0, "method": "dp-ls", "seed": 1}
    (one,) = (f for f in folders if wanted.items() <= record_in(str(f)).scenario.items())
    # Shared sums and controls change nothing: the command of the Record makes the same.
    argv = record_in(str(one)).environment["command"].split()[3:]
    assert main([*argv, "--out", "alone"]) == 0
    assert records.canonical(record_in("alone")) == records.canonical(record_in(str(one)))
    written = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("heads/*/result.json"))]
    assert compare(words) == 0
    assert written == [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("heads/*/result.json"))]
    with claim(Path("heads"), WRITES), pytest.raises(BadInput, match="another run is writing"):
        compare(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epsilon", "0"], "epsilon is 0; it must be > 0"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--method", "dp-ls,steps"], "is not OPTION=VALUE"),
        (["--method", "dp-ls,strength=much"], "is no number, true or false"),
        (["--method", "dp-new"], "unknown method"),
        (["--method", "dp-ls", "dp-sgd,batch_size=99999"], "larger than"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_before_a_fit(words, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        compare(["--backbone", "raw", *words, "--out", "heads"])
    assert not (tmp_path / "heads").exists()
