"""Federations on Flower, in this process: the course, faults, and going on after a kill."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import torch

pytest.importorskip("flwr", reason="the extra federated is not installed")

from defenses import BadInput
from reports import records
from reports.records.kinds import check_written
from tests import fresh
from tests.victims.federated.federations import victim
from victims.federated import wire
from victims.federated.__main__ import main
from victims.federated.apps import ARRAYS, GridPost, client_app
from victims.federated.checkpoint import read
from victims.federated.command import command_line
from victims.federated.engine import run_federation
from victims.federated.flower import ArrayRecord, ClientApp, Message, RecordDict
from victims.federated.inprocess import InProcessGrid, identity, new_contexts
from victims.federated.record import record_of
from victims.federated.turns import participant_at

NOISE = {"defense_options": {"noise_multiplier": 1.0}}


def run(made, folder=None, **more):
    return run_federation(made, folder, **more)


def written(made, server, rows):
    record = record_of(made, server, rows, "cpu", command_line(made.plan.federation))
    return check_written(record)


def test_a_federation_learns_and_its_record_is_valid():
    made = victim(rounds=5)
    server, rows = run(made)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["accuracy"] > 0.5 > 2 * made.majority
    assert rows[-1]["step"] == 20
    record = written(made, server, rows)
    assert record.summary["rejected"] == {}
    assert record.bounds["epsilon"] == {"rdp": None, "prv": None}


def test_two_runs_are_one_record_to_the_last_bit():
    first, second = (records.canonical(written(m, *run(m))) for m in (victim(), victim()))
    assert first == second
    other = victim(seed=1)
    assert records.canonical(written(other, *run(other))) != first


def test_one_after_another_is_what_it_would_be_by_hand():
    made = victim(rounds=2, order="random")
    server, _ = run(made)
    hand = made.server()
    for turn in range(8):
        who = participant_at(turn, 4, "random", lambda r: made.draw("turns", r))
        sent = made.participant(who).upload(dict(hand.weights), turn // 4, {})
        hand.add(who, wire.pack(sent), 0)
    assert all(torch.equal(hand.weights[k], server.weights[k]) for k in hand.weights)


@pytest.mark.parametrize("staleness", [0, 1, 3])
def test_asynchronous_uploads_are_as_stale_as_stated(staleness):
    made = victim(order="asynchronous", staleness=staleness, lr=0.01)
    server, rows = run(made)
    # The first ones of a run have fewer before them that could come in between.
    assert sorted(server.ages.elements()) == [min(turn, staleness) for turn in range(12)]
    assert rows[-1]["step"] == 12


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("dssgd", {"per_parameter": 10.0}),
        ("dssgd", {"theta_d": 0.5, "decay": 0.9}),
        ("fedavg", {"share": 0.6}),
        ("fedavg", {"where": "server", "defense": "dpsgd", "share": 0.6, **NOISE}),
        ("fedsgd", {"defense": "dprs", **NOISE}),
    ],
)
def test_every_rule_runs_and_accounts_for_each_participant(rule, more):
    made = victim(rule=rule, **more)
    server, rows = run(made)
    record = written(made, server, rows)
    assert len(record.bounds["participants"]) == 4
    spent = [one["epsilon"] for one in record.bounds["participants"]]
    for one in record.bounds["participants"]:
        releases = 3 if more.get("where") == "server" else one["uploads"]
        expected = made.plan.epsilon(releases)
        assert one["epsilon"] == (None if expected == float("inf") else expected)
    if None not in spent:
        assert max(spent) == record.bounds["epsilon"]["prv"] == rows[-1]["epsilon"]
        assert record.bounds["added_up"] == pytest.approx(sum(spent))


def faulty(app, faults):
    """The app, whose participants (partition-id -> fault) go wrong from the second round on."""

    def call(message, context):
        answer = app(message, context)
        place = context.node_config["partition-id"]
        rounds = message.content.config_records.get("config", {})
        if place not in faults or not rounds.get("round", 0):
            return answer
        if faults[place] == "crash":
            raise RuntimeError("the participant's own trouble, /its/path")
        sent = answer.content.array_records[ARRAYS].to_torch_state_dict()
        made = {
            "nan": lambda: {
                k: v * float("nan") if v.is_floating_point() else v for k, v in sent.items()
            },
            "tenfold": lambda: {k: 10 * v if v.is_floating_point() else v for k, v in sent.items()},
            "shape": lambda: {k: v if "#" in k else v[:-1] for k, v in sent.items()},
            "nothing": dict,
        }[faults[place]]()
        return Message(RecordDict({ARRAYS: ArrayRecord(made)} if made else {}), reply_to=message)

    return call


def with_faults(faults, delays=None):
    def grid(app, contexts, _):
        return InProcessGrid(faulty(app, faults), contexts, delays)

    return grid


@pytest.mark.parametrize("rule", ["dssgd", "fedavg"])
def test_participants_that_fail_neither_stop_nor_corrupt_the_server(rule):
    made = victim(rule=rule, participants=8, rounds=4)
    faults = {1: "crash", 2: "nan", 3: "tenfold", 4: "shape", 5: "nothing"}
    server, rows = run(made, grid=with_faults(faults))
    assert all(bool(torch.isfinite(v).all()) for v in server.weights.values())
    assert rows[-1]["accuracy"] > 0.4
    told = {1: "crashed", 2: "unfinite", 3: "norm", 4: "shape", 5: "shape"}
    for who in range(8):
        assert dict(server.rejected[who]) == ({told[who]: 3} if who in told else {})
    record = written(made, server, rows)
    assert record.summary["rejected"] == {"crashed": 3, "norm": 3, "shape": 6, "unfinite": 3}
    assert rows[-1]["rejected"] == 15


def test_who_lags_is_given_up_and_the_others_go_on():
    made = victim(participants=3, rounds=2)
    server, rows = run(made, grid=with_faults({}, {1: 10**9}), timeout=0.1)
    assert dict(server.rejected[1]) == {"late": 2}
    assert (rows[-1]["step"], rows[-1]["rejected"]) == (4, 2)


def test_who_answers_later_overtakes_nobodys_place():
    made = victim(order="asynchronous", staleness=3, lr=0.01)
    server, rows = run(made, grid=with_faults({}, {0: 3}))
    assert rows[-1]["step"] == 12
    assert max(server.ages) > 3
    assert not any(server.rejected)


def test_too_few_participants_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr("victims.federated.apps.LOOK", 0.05)
    made = victim()
    with identity():
        grid = InProcessGrid(client_app(lambda context: made), new_contexts(4)[:2])
        with pytest.raises(BadInput, match="2 of 4 participants are there"):
            GridPost(grid, 4, 0.1)


def test_who_fails_at_once_is_told_with_the_reason(monkeypatch):
    monkeypatch.setattr("victims.federated.apps.LOOK", 0.05)
    app = ClientApp()

    @app.query()
    def fail(message, context):
        raise ValueError("a place that nobody needs to know")

    with identity():
        grid = InProcessGrid(app, new_contexts(2))
        with pytest.raises(BadInput, match=r"0 of 2 .*; one of them failed: ValueError") as raised:
            GridPost(grid, 2, 0.1)
    assert "\n" not in str(raised.value)


def test_an_engine_that_is_not_there_is_refused_in_one_line(monkeypatch):
    with pytest.raises(BadInput, match="unknown engine 'abacus'; known: process, simulation"):
        run(victim(), engine="abacus")
    with pytest.raises(BadInput, match="timeout is 0"):
        run(victim(), timeout=0.0)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install 'leakgauge\[federated-sim\]'"):
        run(victim(), engine="simulation")


class TestGoingOn:
    @pytest.mark.parametrize(
        "changed",
        [
            {},
            {"theta_d": 0.5},
            {"order": "asynchronous", "staleness": 2, "lr": 0.01},
            {"rule": "fedavg", "defense": "randk"},
            {"rule": "fedavg", "where": "server", "defense": "adaptive", **NOISE},
        ],
        ids=["round-robin", "theta_d", "asynchronous", "memory", "server"],
    )
    def test_it_comes_to_the_same_bits_wherever_it_was_left(self, changed, tmp_path):
        whole = victim(rounds=4, **changed)
        expected = records.canonical(written(whole, *run(whole)))

        def stop(row):
            if row["epoch"] == 2:
                raise KeyboardInterrupt

        made = victim(rounds=4, **changed)
        with pytest.raises(KeyboardInterrupt):
            run(made, tmp_path, save_seconds=0, watch=stop)
        again = victim(rounds=4, **changed)
        seen = []
        server, rows = run(again, tmp_path, watch=lambda row: seen.append(row["epoch"]))
        assert seen == [1, 2, 3, 4]
        assert records.canonical(written(again, server, rows)) == expected
        assert all(torch.equal(v, server.weights[k]) for k, v in run(whole)[0].weights.items())

    def test_after_kill_9(self, tmp_path):
        flags = ["--participants", "4", "--examples", "40", "--model", "linear"]
        flags += ["--order", "asynchronous", "--staleness", "1", "--rounds", "40", "--lr", "0.01"]
        flags += ["--save-seconds", "0"]
        words = [*flags, "--out", str(tmp_path / "a")]
        started = fresh.start("-m", "victims.federated", *words)
        started.until(lambda: ["10"] in [line.split()[:1] for line in started.out.splitlines()])
        os.kill(started.pid, signal.SIGKILL)
        assert started.wait() == -signal.SIGKILL
        assert not (tmp_path / "a/result.json").exists()
        assert read(tmp_path / "a/checkpoint.safetensors").facts["round"] >= 9
        assert main(words) == 0
        assert main([*flags, "--out", str(tmp_path / "b")]) == 0
        found = [records.read(tmp_path / name) for name in "ab"]
        assert records.canonical(found[0]) == records.canonical(found[1])
        weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in "ab"]
        assert weights[0] == weights[1]

    def test_another_federations_checkpoint_is_refused(self, tmp_path):
        run(victim(), tmp_path)
        with pytest.raises(BadInput, match="holds another federation"):
            run(victim(lr=0.2), tmp_path)
        (tmp_path / "checkpoint.safetensors").write_bytes(b"nonsense")
        with pytest.raises(BadInput, match="not a readable checkpoint"):
            run(victim(), tmp_path)
