"""Every documented mistake is caught by the check that is said to catch it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import victims.conformance
from defenses.conformance import CHECKS
from tests.zoo import BUGS, private
from tests.zoo.audit import audited
from tests.zoo.heads import HEADS
from tests.zoo.sparse_vector import LeavesAcceptedRaw
from tests.zoo.specimen import OPTIONS
from victims.transfer.conformance import examine

OF_DEFENSES = {c.name: c for c in CHECKS}
OF_LOOPS = {c.name: c for c in victims.conformance.CHECKS}
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_the_check_that_is_said_to_catch_a_bug_does(bug):
    if bug.check in OF_DEFENSES:
        finding = OF_DEFENSES[bug.check](bug.defense)
    else:
        finding = OF_LOOPS[bug.check](bug.build, *private())
    assert not finding.holds
    assert "raised" not in finding.told, "a crash is no diagnosis"


@pytest.mark.parametrize("bug", HEADS, ids=str)
def test_the_check_that_is_said_to_catch_a_bug_of_heads_does_and_no_other(bug):
    broken = [finding for finding in examine(bug.method, bug.make) if not finding.holds]
    assert [finding.check for finding in broken] == [bug.check]
    assert "raised" not in broken[0].told, "a crash is no diagnosis"


@pytest.mark.parametrize("bug", HEADS, ids=str)
def test_every_bug_of_heads_names_a_public_source(bug):
    (number,) = re.findall(r"\d{4}\.\d{5}|issue \d+|commit \w+", bug.source)
    assert number in " ".join(bug.kind.__doc__.split())


def test_a_sparse_vector_filter_that_forgets_nothing_is_spared_by_that_check():
    fixed = LeavesAcceptedRaw(**{**OPTIONS, "raw": False})
    assert OF_DEFENSES["calibration"](fixed).holds


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_every_bug_claims_an_epsilon_and_names_a_public_source(bug):
    assert bug.build(*private()).plan.epsilon(1) < 100
    numbers = re.findall(r"\d{4}\.\d{5}|(?:issues?|PR) \d+|train_fc", bug.source)
    told = " ".join(bug.kind.__doc__.split()).replace("pull request", "PR")
    assert numbers or "dp_transfer" in told
    for number in numbers:
        assert number.split()[-1] in told


def test_the_zoo_is_complete_and_nothing_shipped_knows_it():
    assert len(BUGS) >= 24
    for bugs in (BUGS, HEADS):
        assert len({b.name for b in bugs}) == len({b.kind for b in bugs}) == len(bugs)
    for room in ("attacks", "defenses", "reports", "victims"):
        for path in (ROOT / room).rglob("*.py"):
            assert "tests.zoo" not in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("bug", [b for b in BUGS if b.refuted], ids=str)
def test_the_audit_refutes_the_claims_that_it_is_said_to_refute(bug):
    seen = audited(bug, runs=5)
    assert seen.refuted >= 4, seen


@pytest.mark.slow
@pytest.mark.parametrize("rate", [None, 0.5, 0.9])
def test_the_audit_spares_correct_training(rate):
    options = {"clip": 0.5, "noise_multiplier": 2.0}
    changed = {"defense": "dprs", "defense_options": {**options, "rate": rate}} if rate else {}
    seen = audited(None, runs=20, **changed)
    # At 95% each, 4 of 20 would come once in 60 times.
    assert seen.refuted <= 3, seen
