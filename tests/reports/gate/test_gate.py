"""One word per result, exit codes that a pipeline can tell apart, and examples that run."""

from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from leakgauge.commands import COMMANDS
from leakgauge.glance import load
from reports import build, records
from reports.evidence.judgement import WORDS, Judgement
from reports.gate.badge import badge
from reports.gate.rulings import GATES, caught
from tests.outcomes import audit, inversion, training

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
OPEN = {"against": {"none": 50.0}}


@pytest.fixture
def gate(tmp_path, capsys):
    def run(found, *flags):
        for turn, record in enumerate(found):
            records.write(record, tmp_path / "runs" / str(turn))
        code = build.main([str(tmp_path / "runs"), "--out", str(tmp_path / "out"), *flags])
        told = json.loads((tmp_path / "out" / build.SUMMARY).read_text())
        return code, told, capsys.readouterr().out

    return run


def test_a_leak_closes_the_gate_that_is_on_it_alone(gate):
    leaking = [inversion(level=30.0, **OPEN)]
    code, told, said = gate(leaking, "--fail-on", *GATES)
    assert (code, told["closed"], told["worst"]) == (build.CLOSED, True, "leaks")
    assert told["counts"] == {"refuted": 0, "unjudged": 0, "leaks": 1, "unbroken": 0}
    assert re.search(r"(?m)^leaks: .*dprs.*\ngate on leaks, .*: closed by 1 of 1 result$", said)
    code, told, said = gate(leaking, "--fail-on", "refuted", "--fresh")
    assert (code, told["closed"]) == (0, False)
    assert said.endswith("gate on refuted: open\n")


def test_a_rival_beside_the_defense_closes_nothing(gate):
    quiet = inversion(level=9.0, naive=8.0, against={"none": 50.0, "dpsgd": 30.0})
    code, told, said = gate([quiet], "--fail-on", *GATES)
    assert (code, told["worst"]) == (0, "unbroken")
    assert told["counts"] == {"refuted": 0, "unjudged": 0, "leaks": 0, "unbroken": 1}
    shown = {one["subject"]: (one["word"], one["rival"]) for one in told["results"]}
    assert shown["dpsgd"] == ("leaks", True)
    assert [rival for _, rival in shown.values()].count(False) == 1
    assert said.endswith(": open; 1 rival beside it shown, not gated\n")


def test_every_scenario_of_a_sweep_gates_with_its_own_defense(gate):
    own = [inversion(defense="dpsgd", level=30.0, **OPEN), inversion(level=9.0, naive=8.0, **OPEN)]
    beside = inversion(defense="topk", level=9.0, naive=8.0, seed=1, against={"dpsgd": 30.0})
    code, told, _ = gate([*own, beside], "--fail-on", *GATES)
    assert (code, told["worst"]) == (3, "leaks")
    closing = [one["subject"] for one in told["results"] if one["word"] == "leaks"]
    assert closing and all(subject.startswith("dpsgd") for subject in closing)


def test_a_rival_counts_where_nothing_else_was_asked(gate):
    bare = inversion(defense="none", level=50.0, naive=None, against={"dpsgd": 30.0})
    code, told, _ = gate([bare], "--fail-on", "leaks")
    assert (code, [one["rival"] for one in told["results"]]) == (3, [False])


def test_nothing_shown_is_let_through_and_called_no_more(gate):
    code, told, _ = gate([inversion(level=9.0, naive=8.0, **OPEN)], "--fail-on", *GATES)
    assert (code, told["worst"]) == (0, "unbroken")


def test_an_attack_that_could_not_have_told_closes_it(gate):
    failing = [inversion(level=9.0, naive=8.0, against={"none": 9.0})]
    code, told, _ = gate(failing, "--fail-on", "cannot-judge")
    assert (code, told["worst"]) == (build.CLOSED, "unjudged")
    code, _, _ = gate(failing, "--fail-on", "leaks", "refuted", "--fresh")
    assert code == 0


def test_a_result_that_cannot_be_read_is_no_evidence(gate, tmp_path):
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "result.json").write_text("{")
    quiet = [inversion(level=9.0, naive=8.0, **OPEN)]
    code, told, _ = gate(quiet, "--fail-on", "cannot-judge")
    assert code == build.CLOSED
    assert [r["word"] for r in told["results"]] == ["unjudged", "unbroken"]
    assert told["results"][0]["subject"] == "runs/broken"


def test_a_gate_on_leaks_is_closed_by_a_refuted_claim():
    found = [Judgement(word, "it", "why", "-", "do", "", ()) for word in WORDS]
    assert [one.word for one in caught(found, ["leaks"])] == ["refuted", "leaks"]
    assert [one.word for one in caught(found, ["unjudged"])] == ["unjudged"]


def test_where_nothing_was_attacked_nothing_is_judged(gate):
    code, told, _ = gate([training()], "--fail-on", "cannot-judge")
    assert (code, told["counts"]["unjudged"]) == (build.CLOSED, 1)


def test_the_gate_says_what_the_page_says(gate, tmp_path):
    found = [inversion(level=30.0, **OPEN), inversion(defense="dpsgd", level=9.0, **OPEN), audit()]
    _, told, _ = gate(found, "--summary")
    page = html.unescape((tmp_path / "out" / build.PAGE).read_text())
    assert len(told["results"]) == 3
    for one in told["results"]:
        assert one["subject"] in page and one["reason"] in page


def test_a_summary_without_a_gate_closes_nothing(gate, tmp_path):
    code, told, _ = gate([inversion(level=30.0, **OPEN)], "--summary")
    assert (code, told["fail_on"], told["closed"]) == (0, [], False)
    assert "leaks" in (tmp_path / "out" / build.BADGE).read_text()


@pytest.mark.parametrize("word", WORDS)
def test_the_badge_is_a_picture_of_its_text(word):
    root = ElementTree.fromstring(badge(word))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "leakage" and len(texts) == 2
    assert float(root.get("width")) > 100


def test_the_flags_name_the_words():
    from reports.gate import rulings

    assert build.GATES == rulings.GATES


@pytest.mark.parametrize("name", ["leakage.yml", "pre-commit-config.yaml"])
def test_the_commands_of_the_examples_are_understood(name):
    text = (EXAMPLES / name).read_text()
    typed = re.findall(r"leakgauge ((?:sweep|build) [^&'\n]*)", text)
    assert len(typed) == 2 and "unjudged" in typed[1]
    for words in map(shlex.split, typed):
        parsed = load(COMMANDS[words[0]].flags)(words[1:])
        if words[0] == "sweep":
            jobs = load("reports.sweep.study_file:jobs_of")(parsed.first, parsed.flags)
            attacked = [job.scenario["defense"] for job in jobs]
            assert attacked == ["none", "dpsgd"]  # without a control every result is unjudged
