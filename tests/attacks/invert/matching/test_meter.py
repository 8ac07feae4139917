"""What an attack may spend: gradients, which every machine counts alike, and seconds."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import sys

import pytest
from torch.nn.functional import cross_entropy

from attacks import invert
from attacks.families import run
from attacks.invert.__main__ import main
from attacks.invert.adversary import Adversary
from attacks.invert.contract import Threat
from attacks.invert.matching import clock as clocks
from attacks.invert.matching import labels, meter
from attacks.invert.matching.clock import Clock, TimeIsUp
from attacks.invert.matching.meter import measure
from attacks.invert.scenario import Scenario
from attacks.invert.victim import Victim
from reports import records
from tests.conftest import configured, seeded

FEW = {
    "data": "digits",
    "model": "lenet",
    "images": 2,
    "defense": "dpsgd",
    "against": (),
    "columns": "adaptive",
    "attack_options": {"iterations": 12, "practice": 1},
}


@pytest.fixture
def work(monkeypatch):
    """A clock that stands still but when gradients are taken: a tenth of a second each."""
    now = [0.0]
    monkeypatch.setattr(clocks.time, "monotonic", lambda: now[0])
    spend = meter.spend

    def slowly(gradients):
        now[0] += 0.1 * gradients
        spend(gradients)

    # Wherever gradients are counted, whoever imported it.
    for name, module in list(sys.modules.items()):
        if name.startswith("attacks.invert") and vars(module).get("spend") is spend:
            monkeypatch.setattr(module, "spend", slowly)
    return now


def test_a_record_does_not_depend_on_how_fast_the_machine_is(monkeypatch):
    first = records.canonical(run(Scenario(**FEW)))
    ticks = itertools.count(0, 1000.0)
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    record = run(Scenario(**FEW))
    assert records.canonical(record) == first
    assert {row["stopped"] for row in record.rows} == {"iterations"}


def test_seconds_bound_all_that_an_attacker_does(work):
    scenario = Scenario(**{**FEW, "attack_options": {"iterations": 1000}}, budget=20.0)
    record = run(scenario)
    # A few gradients of grace: what scores a guess that time has cut short.
    assert work[0] < 2 * 20 + 10
    assert [row["stopped"] for row in record.rows] == ["time", "time"]
    assert all(row["iterations"] > 0 for row in record.rows)


def test_practice_that_was_cut_short_marks_every_row(work):
    slow = {**FEW, "attack_options": {"iterations": 12, "practice": 9}}
    record = run(Scenario(**slow, budget=30.0))
    assert {row["stopped"] for row in record.rows} == {"time"}
    assert all(row["iterations"] >= 12 for row in record.rows)  # the attacks themselves were not


def test_a_candidate_game_that_was_cut_short_has_no_place(work):
    record = run(Scenario(**{**FEW, "attack": "prior", "attack_options": {}}, budget=3.0))
    assert [row["rank"] for row in record.rows] == [None, None]
    assert [row["stopped"] for row in record.rows] == ["time", "time"]
    assert work[0] < 2 * 3 + 3


def test_every_gradient_is_counted(work):
    record = run(Scenario(**FEW))
    counted = sum(row["evaluations"] for row in record.rows) + record.rows[0]["practice"]
    others = 10 * (63 + 1 + 1) / 10  # the candidates, once; the Fisher information of two images
    assert work[0] * 10 == pytest.approx(counted + others, abs=2)
    for row in record.rows:
        assert row["evaluations"] > row["iterations"]


def test_every_gradient_that_is_learned_from_is_counted(work):
    """Where coordinates are missing, labels by evidence and `lti` take gradients by themselves."""
    mask = {"defense": "dprs", "moments": 2}
    options = {"rate": 0.9, "cooling": False, "noise_multiplier": 0.0}
    record = run(Scenario(**FEW | mask, defense_options=options))
    counted = sum(row["evaluations"] for row in record.rows) + record.rows[0]["practice"]
    others = 63  # the candidates, once; without noise there is no Fisher information
    assert work[0] * 10 == pytest.approx(counted + others, abs=2)
    assert 255 < record.rows[0]["practice"] < 10_000


def test_labels_are_recovered_once_for_each_batch_of_practice(observe, lenet, monkeypatch):
    _, threat, _, _ = observe(lenet, configured("dprs", rate=0.9, noise_multiplier=0.0))
    asked: list[int] = []
    monkeypatch.setattr(labels, "_by_signs", lambda *a: None)
    evidence = labels.log_evidence
    monkeypatch.setattr(labels, "log_evidence", lambda *a: asked.append(0) or evidence(*a))
    auto = invert.get("auto", iterations=4, practice=2)
    ready = auto.tuned(lenet, cross_entropy, threat, generator=seeded(2))
    assert len(asked) == 2
    assert "lti" in {attack.name for attack in ready.plan}


def test_learning_is_left_out_where_nothing_is_missing(observe, lenet):
    _, threat, _, _ = observe(lenet, configured("dpsgd", noise_multiplier=0.01))
    auto = invert.get("auto", iterations=4, practice=1)
    ready = auto.tuned(lenet, cross_entropy, threat, generator=seeded(2))
    assert "lti" not in {attack.name for attack in ready.plan}


@pytest.mark.parametrize("name", ["auto", "bayes", "dlg", "geiping"])
def test_evaluations_limit_every_attack(name, observe, lenet):
    release, threat, _, _ = observe(lenet, configured("none"), evaluations=25)
    attack = invert.get(name)
    guess = attack.reconstruct(lenet, cross_entropy, release, threat, generator=seeded())
    assert 20 <= guess.iterations <= 25
    assert guess.stopped == "iterations"


def test_an_attack_has_no_clock_unless_somebody_asks(observe, lenet):
    _, threat, _, _ = observe(lenet, configured("none"))
    assert math.isinf(Threat.__dataclass_fields__["seconds"].default)
    threat = dataclasses.replace(threat, seconds=math.inf)
    assert not threat.clock().guards
    assert not threat.clock().over
    assert dataclasses.replace(threat, seconds=2.0, batch_size=3).clock().left <= 6


def test_practice_gets_a_share_of_the_clock(work, observe, lenet):
    _, threat, _, _ = observe(lenet, configured("dpsgd"))
    adversary = Adversary(invert.get("auto", iterations=400), threat)
    victim = Victim(lenet, cross_entropy, threat.defense)
    ready = adversary.practise(victim, Clock.of(100.0), generator=seeded())
    assert ready.hurried or ready.attack.hurried
    assert work[0] < 0.3 * 100 + 5
    assert 0 < ready.practice <= 350


def test_templates_of_labels_end_with_the_clock(work, observe, lenet):
    release, threat, _, _ = observe(lenet, configured("none"), batch=3, seconds=2.0)
    found = labels.recover_labels(lenet, cross_entropy, release, threat)
    assert found.shape == (3,)
    assert work[0] < 3 * 2 + 1


def test_a_clock_that_is_over_ends_what_it_watches(work):
    clock = Clock.of(1.0)
    half = clock.part(0.5)
    seen = []
    with pytest.raises(TimeIsUp):
        for item in half.watch(range(10)):
            seen.append(item)
            work[0] += 0.2
    assert seen == [0, 1, 2]
    assert not clock.over
    assert not Clock().guards


def test_meters_within_meters_count_for_both():
    with measure() as outer:
        meter.spend(2)
        with measure() as inner:
            meter.spend(3)
    meter.spend(5)
    assert (outer.gradients, inner.gradients) == (5, 3)


def test_a_budget_in_seconds_is_warned_of_and_marked(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = "--data digits --images 1 --against --adaptive --defense none --out o".split()  # noqa: SIM905
    assert main([*line, "--budget", "0.01"]) == 0
    out, err = capsys.readouterr()
    assert "warning: --budget stops attacks by the clock" in err
    assert "* cut short by --budget" in out
    assert json.loads((tmp_path / "o/result.json").read_text())["rows"][0]["stopped"] == "time"
    assert main([*line[:-1], "p", "--evaluations", "5", "--attack", "bayes"]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in err
    row = json.loads((tmp_path / "p/result.json").read_text())["rows"][0]
    assert (row["iterations"], row["stopped"]) == (5, "iterations")


def test_labels_count_as_a_multiset():
    from attacks.invert.score import pair_labels

    assert pair_labels([3, 1, 1, 2], [1, 1, 2, 3]) == [3, 1, 1, 2]
    assert pair_labels([3, 1, 1, 2], [1, 7, 8, 3]) == [3, 1, 7, 8]
    assert pair_labels([5], [4]) == [4]


def test_labels_that_were_all_recovered_are_all_found():
    """Two iterations leave noise for pixels, whose pairing with the truth says nothing."""
    short = {"attack": "bayes", "attack_options": {"iterations": 2}, "model": "lenet"}
    scenario = Scenario(images=16, batch=16, defense="none", against=(), data="digits", **short)
    record = run(scenario)
    truth = sorted(row["label"] for row in record.rows)
    found = sorted(row["label_found"] for row in record.rows)
    shared = sum(min(truth.count(c), found.count(c)) for c in set(truth))
    share = record.summary["none/adaptive"]["labels"]
    assert sum(row["label"] == row["label_found"] for row in record.rows) == shared
    assert share["mean"] == shared / 16
    assert share["n"] == 16
    assert shared >= 14


def test_who_watches_a_meter_is_told_now_and_then_what_has_been_spent():
    told = []
    with measure(told.append):
        for _ in range(5):
            meter.spend(60)
    assert told == [120, 240, 300]


def test_a_study_says_how_far_practice_and_attack_have_come():
    lines = []
    scenario = Scenario(**{**FEW, "images": 1, "attack_options": {"iterations": 120}})
    run(scenario, report=lambda line, done, total: lines.append(line))
    for place in ("dpsgd/adaptive: practising on auxiliary images", "dpsgd/adaptive: batch 1 of 1"):
        assert lines.count(place) == 1
        assert any(line.startswith(f"{place}, ") and "gradients" in line for line in lines)
