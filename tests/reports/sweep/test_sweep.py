from __future__ import annotations

import json
import os
import re
import shlex
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.invert import command as invert
from defenses import BadInput
from reports import records
from reports.records.find import gather
from reports.sweep import command as sweep
from reports.sweep.combine import COMMANDS, cross
from reports.sweep.study_file import jobs_of, split_flags
from tests import fresh
from victims import train

SMALL = ["--data", "digits", "--model", "mlp", "--images", "1", "--attack", "analytic"]
SMALL += ["--adaptive", "--candidates", "8"]
TRAIN = ["victims.train", "--data", "digits", "--count", "100", "--defense", "none"]


def run(*argv, out):
    return sweep.main([*argv, "--out", str(out), "--executor", "here"])


def test_flags_cross_and_a_flag_that_a_defense_lacks_is_left_out_of_it():
    flags = {
        "--defense": ["none", "dpsgd", "dprs"],
        "--rate": ["0", "0.5"],
        "--noise-multiplier": ["0", "1", "2"],
        "--seed": ["0", "1"],
    }
    jobs = cross("attacks.invert", flags)
    assert len(jobs) == 2 * (1 + 3 + 6)
    assert len({job.key for job in jobs}) == len(jobs)
    assert sum("--rate=0.5" in job.argv for job in jobs) == 2 * 3
    scenario = invert.scenario(invert.parse(jobs[-1].argv))
    assert scenario.against == ()
    assert scenario.defense_options == {"rate": 0.5, "noise_multiplier": 2.0}


def test_an_epsilon_is_left_out_where_no_noise_can_keep_it():
    for command in ("attacks.invert", "victims.train"):
        jobs = cross(command, {"--defense": ["none", "topk", "dprs"], "--epsilon": ["1", "8"]})
        assert len(jobs) == 4
        assert ["--epsilon" in job.again for job in jobs] == [False, False, True, True]


def test_a_key_is_that_of_the_command_run_alone():
    for job in cross("attacks.invert", {"--rate": ["0.3"], "--labels-known": ["true", "false"]}):
        words = shlex.split(job.again)
        assert words[:3] == ["python", "-m", "attacks.invert"]
        assert invert.scenario(invert.parse(words[3:])).key() == job.key


@settings(max_examples=30, deadline=None)
@given(
    rate=st.floats(0, 0.999),
    noise=st.floats(0, 100),
    budget=st.floats(0.01, 1e6),
    cooling=st.booleans(),
    columns=st.sampled_from(["both", "naive", "adaptive"]),
    against=st.lists(st.sampled_from(["none", "topk", "dpsgd"]), unique=True),
    known=st.booleans(),
)
def test_a_scenario_survives_its_command_line(
    rate, noise, budget, cooling, columns, against, known
):
    from attacks.invert.scenario import Scenario

    scenario = Scenario(
        defense_options={"rate": rate, "noise_multiplier": noise, "cooling": cooling},
        budget=budget,
        columns=columns,
        against=tuple(against),
        labels_known=known,
    )
    words = shlex.split(invert.command_line(scenario))[3:]
    assert invert.scenario(invert.parse(words)) == scenario


def test_other_weights_under_the_same_name_are_another_scenario(tmp_path):
    weights = tmp_path / "weights.safetensors"
    keys = set()
    for content in (b"one", b"two", b"one"):
        weights.write_bytes(content)
        scenario = invert.scenario(invert.parse(["--state", str(weights)]))
        keys.add(scenario.key())
        again = invert.scenario(invert.parse(shlex.split(invert.command_line(scenario))[3:]))
        assert again == scenario
    assert len(keys) == 2


def test_training_survives_its_command_line():
    flags = {"--defense": ["none", "dprs"], "--lr": ["0.1", "1"], "--epsilon": ["3"]}
    jobs = cross("victims.train", flags)
    assert len(jobs) == 4
    for job in jobs:
        assert train.scenario(train.parse(shlex.split(job.again)[3:])).key() == job.key


def test_every_command_has_a_short_name_of_its_own():
    named = {sweep.parse([short]).first for short in sweep.SHORT}
    assert named == set(COMMANDS)
    assert sweep.parse(["invert-heads", "--seeds", "2"]).first == "attacks.invert.heads"
    assert sweep.parse(["heads"]).first == "heads"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--defense", "nonesuch"], "unknown defense 'nonesuch'"),
        (["--defense", "dprs", "--rate", "0.5", "1.5"], "rate is 1.5"),
        (["--defense", "none", "--rate", "0.5"], "no defense or attack of this sweep has --rate"),
        (["--nonsense", "1"], "no defense or attack of this sweep has --nonsense"),
        (["--out", "here", "--fresh", "true"], "--fresh cannot be swept"),
        (["--seeds", "0"], "--seeds is '0'"),
        (["--seeds", "2", "--seed", "1"], "give --seeds or --seed"),
        (["--rate", "0.5", "--rate", "0.9"], "--rate is given twice"),
        (["--labels-known", "perhaps"], "true or false"),
        (["attacks.nowhere"], "no command 'attacks.nowhere'"),
        (["attacks.invert.bench"], "no command 'attacks.invert.bench' runs Scenarios"),
        (["nowhere.toml"], "no study file nowhere.toml"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--address", "here:1", "--images", "1"], "--address goes with --executor ray"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message) as caught:
        sweep.main(argv)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_study_file_says_the_same_as_flags(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(
        """
        seeds = 2
        images = 2
        model = "mlp"
        [[block]]
        defense = "none"
        labels_known = [true, false]
        [[block]]
        defense = ["dpsgd", "dprs"]
        noise-multiplier = [0, 1e-2]
        against = [["none"], []]
        """
    )
    found = {job.key for job in jobs_of(str(study), {})}
    first, flags = split_flags(
        [
            "--seeds",
            "2",
            "--images",
            "2",
            "--model",
            "mlp",
            "--defense",
            "none",
            "--labels-known",
            "true",
            "false",
        ]
    )
    one = {job.key for job in jobs_of(first, flags)}
    words = "--seeds 2 --images 2 --model mlp --defense dpsgd dprs --noise-multiplier 0 1e-2"
    first, flags = split_flags([*words.split(), "--against", "none", ""])
    two = {job.key for job in jobs_of(first, flags)}
    assert found == one | two
    assert len(found) == 4 + 16
    assert len(jobs_of(str(study), {"--seeds": ["1"]})) == 10
    assert len(jobs_of(str(study), {"--seed": ["5"], "--images": ["2", "4"]})) == 20


@pytest.mark.parametrize("text", ["rate = [", "rate = {a = 1}", "rate = []", "block = 3"])
def test_a_spoilt_study_is_refused(tmp_path, text):
    study = tmp_path / "study.toml"
    study.write_text(text)
    with pytest.raises(BadInput, match=r"study\.toml"):
        jobs_of(str(study), {})


def test_a_rerun_does_only_what_is_missing(tmp_path, capsys):
    grid = [*SMALL, "--defense", "none", "dprs", "--rate", "0.5", "--noise-multiplier", "0.1"]
    assert run(*grid, out=tmp_path) == 0
    assert "2 to run" in capsys.readouterr().out
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/result.json")}
    assert len(stamps) == 2
    assert run(*grid, "--seed", "0", "1", out=tmp_path) == 0
    assert "4 Scenarios: 2 done, 2 to run" in capsys.readouterr().out
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items())
    listed = json.loads((tmp_path / "sweep.json").read_text())["jobs"]
    assert {job["key"] for job in listed} == {p.parent.name for p in tmp_path.glob("*/result.json")}
    for job in listed:
        record = records.read(tmp_path / job["key"])
        assert record.environment["command"] == job["command"]


def test_a_failure_is_kept_with_its_error_and_retried_when_asked(tmp_path, capsys, monkeypatch):
    (tmp_path / "broken.py").write_text(
        "import pathlib\n"
        "import torch\n"
        "def model(image_shape, classes):\n"
        "    if not pathlib.Path(__file__).with_name('mended').exists():\n"
        "        raise RuntimeError('the wheel came off')\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "sweep"
    rest = [w for w in SMALL if w not in ("--model", "mlp")]
    grid = [*rest, "--defense", "none", "--model", "mlp", "broken:model"]
    assert run(*grid, out=out) == 1
    shown = capsys.readouterr()
    assert "the wheel came off" in shown.err
    assert "1 of 2 Records" in shown.out
    (error,) = out.glob("*/error.json")
    told = json.loads(error.read_text())
    assert "Traceback" in told["traceback"]
    assert told["scenario"]["model"] == "broken:model"
    (failure,) = gather([out]).failures  # the page folds its Scenario out
    assert failure.scenario == told["scenario"] and "the wheel came off" in failure.error
    assert not (error.parent / "result.json").exists()
    (tmp_path / "mended").touch()
    assert run(*grid, out=out) == 1
    assert "0 to run, 1 failed before" in capsys.readouterr().out
    assert run(*grid, "--retry", out=out) == 0
    assert not error.exists()
    assert (error.parent / "result.json").exists()


@pytest.mark.parametrize(("ended_by", "jobs"), [(signal.SIGKILL, "1"), (signal.SIGINT, "2")])
def test_a_sweep_that_is_ended_loses_at_most_what_was_in_flight(tmp_path, ended_by, jobs):
    grid = [*TRAIN, "--epochs", "1", "2", "300", "--jobs", jobs, "--out", str(tmp_path)]
    sweeping = fresh.start("-m", "reports.sweep", *grid)
    sweeping.until(lambda: sum("accuracy" in line for line in sweeping.out.splitlines()) >= 2)
    os.killpg(sweeping.pid, ended_by)  # a terminal tells the whole group
    code, said = sweeping.wait(), sweeping.err
    if ended_by == signal.SIGINT:
        assert code == 130
        assert said.strip().splitlines()[-1].endswith("the same command resumes")
        assert "Traceback" not in said  # nor from processes that were still importing
    kept = {p.parent.name: p.stat().st_mtime_ns for p in tmp_path.glob("*/result.json")}
    assert len(kept) == 2
    again = [w for w in grid if w != "300"]
    assert sweep.main(again) == 0
    assert {p.parent.name: p.stat().st_mtime_ns for p in tmp_path.glob("*/result.json")} == kept


DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("path", sorted((DOCS / "studies").glob("*.toml")), ids=lambda p: p.name)
def test_the_studies_of_the_docs_can_be_planned(tmp_path, monkeypatch, path):
    for state in re.findall(r'"(runs/[^"]*safetensors)"', path.read_text()):
        (tmp_path / state).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / state).write_bytes(state.encode())
    monkeypatch.chdir(tmp_path)
    jobs = jobs_of(str(path), {"--seeds": ["1"]})
    assert len(jobs) >= 4
    assert len({job.key for job in jobs}) == len(jobs)


def test_the_study_file_shown_in_the_docs_is_one(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", (DOCS / "studies.md").read_text(), re.DOTALL)
    (tmp_path / "study.toml").write_text(shown)
    assert len(jobs_of(str(tmp_path / "study.toml"), {})) == 3 * (1 + 4)
