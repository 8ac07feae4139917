"""The command: a Record found again, refused in one line, swept, tabled."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra federated is not installed")

from defenses import BadInput
from reports import records
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import fresh
from tests.victims.federated.federations import federation
from victims.federated import bench, stability
from victims.federated.__main__ import main
from victims.federated.command import command_line, parse, scenario
from victims.federated.flags import PROG
from victims.federated.table import main as table

FLAGS = ["--participants", "4", "--examples", "40", "--model", "linear", "--rounds", "2"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_federation_is_run_recorded_and_found_again(capsys):
    words = [*FLAGS, "--theta-u", "0.2", "--out", "out"]
    assert main(words) == 0
    told = capsys.readouterr().out
    for text in ("dssgd among 4 participants of 40 examples", "always naming", "uploads rejected"):
        assert text in told
    first = records.read(Path("out"))
    assert main(words) == 0
    assert main([*words, "--fresh"]) == 0
    assert records.canonical(records.read(Path("out"))) == records.canonical(first)
    with pytest.raises(BadInput, match="holds the result of other flags"):
        main([*words[:-4], "--theta-u", "0.3", "--out", "out"])


def test_its_record_is_read_as_a_trainings(tmp_path):
    main([*FLAGS, "--rule", "fedsgd", "--defense", "dpsgd", "--epsilon", "4", "--out", "out"])
    found = sort_out(gather([tmp_path / "out"]))
    assert not found.gathered.skipped
    (run,) = found.trainings
    assert run.epsilons["prv"] == pytest.approx(4, rel=0.01)
    assert run.holds


def test_a_page_shows_it(tmp_path):
    from reports.build import main as build

    main([*FLAGS, "--out", "out"])
    assert build(["out", "--out", "report"]) == 0
    assert "dssgd" in (tmp_path / "report/index.html").read_text()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"defense": "none"},
        {"order": "asynchronous", "staleness": 2, "theta_d": 0.5, "decay": 0.9, "lr": 0.01},
        {"rule": "fedavg", "defense": "none", "share": 0.5},
        {"rule": "fedsgd", "defense": "dpsgd", "defense_options": {"clip": 0.5}, "epsilon": 2.0},
        {"per_parameter": 10.0, "defense_options": {"theta_u": 0.01, "selection": "random"}},
    ],
)
def test_the_command_line_says_the_federation_again(changed):
    made = federation(**changed)
    assert scenario(parse(shlex.split(command_line(made).removeprefix(PROG)))) == made


def test_bad_input_is_one_line_and_exit_code_2():
    words = ["-m", "victims.federated", *FLAGS, "--order", "sideways"]
    done = fresh.run(*words, code=2, cwd=Path.cwd())
    assert done.err.count("\n") == 1
    assert "unknown order 'sideways'" in done.err
    assert not Path("runs").exists()


def test_flower_that_is_missing_is_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "victims.federated.flower")
    for name in [name for name in sys.modules if name.startswith("flwr")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=r"pip install 'leakgauge\[federated\]'") as caught:
        import_module("victims.federated.flower")
    assert "\n" not in str(caught.value)
    code = "import sys, victims.federated.command, attacks; assert 'flwr' not in sys.modules"
    fresh.run("-c", code)


def test_the_table_pools_seeds(capsys):
    for seed in "01":
        main([*FLAGS, "--seed", seed, "--out", f"runs/{seed}"])
    main([*FLAGS, "--rule", "fedavg", "--defense", "topk", "--rate", "0.5", "--out", "runs/c"])
    capsys.readouterr()
    assert table(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert any("round-robin | largest 0.1" in text and text.endswith("| 2 |") for text in lines)
    assert any("topk at the participant: rate 0.5" in text for text in lines)
    Path("empty").mkdir()
    with pytest.raises(BadInput, match="no Record of a federation"):
        table(["empty"])


def test_the_stable_learning_rate_falls_with_staleness(capsys):
    words = [
        "--participants",
        "6",
        "--examples",
        "40",
        "--model",
        "shared-mlp",
        "--rounds",
        "6",
        "--selection",
        "all",
        "--stalenesses",
        "0",
        "5",
    ]
    assert stability.main(words) == 0
    fresh, stale = capsys.readouterr().out.splitlines()[2:]
    rates = [float(row.split("|")[2]) for row in (fresh, stale)]
    assert rates[0] > rates[1]
    assert stability.quadratic(0) == pytest.approx(2)
    assert stability.quadratic(1) == pytest.approx(1)


def test_delayed_descent_comes_to_rest_below_the_quadratics_bound_alone():
    for delay in (0, 1, 4):
        for factor, rests in ((0.98, True), (1.02, False)):
            past = [1.0] * (delay + 1)
            for _ in range(4000):
                past.append(past[-1] - factor * stability.quadratic(delay) * past[-1 - delay])
                past = past[-delay - 2 :]
            assert (abs(past[-1]) < 0.1) == rests


def test_uploads_are_counted_by_the_second(capsys):
    assert bench.main([*FLAGS, "--counts", "2", "3", "--repeats", "2"]) == 0
    rows = [row.split("|") for row in capsys.readouterr().out.splitlines()[2:]]
    assert [int(row[1]) for row in rows] == [2, 3]
    assert all(float(row[2]) > float(row[3]) > 0 for row in rows)
