"""From a Scenario of an audit to its Record."""

from __future__ import annotations

import dataclasses

import pytest
from scipy.stats import binom

from attacks.audit import study, verdicts
from defenses import Release
from reports.records import canonical
from tests.attacks.audit.scenarios import scenario
from victims.training.trainer import Trainer


class HalfNoise(Trainer):
    """A training loop that adds half of the noise it says."""

    def release(self, *given, **named) -> Release:
        whole = self.plan
        defense = whole.defense
        less = dataclasses.replace(defense, noise_multiplier=defense.noise_multiplier / 2)
        self.plan = dataclasses.replace(whole, defense=less)
        found = super().release(*given, **named)
        self.plan = whole
        return Release(found.update, defense.public(found.public["batch_size"]))


@pytest.mark.parametrize("kind", ["dirac", "random"])
def test_a_loop_with_half_of_the_noise_is_refuted_and_a_right_one_is_not(kind):
    asked = scenario(
        canary=kind,
        canaries=800,
        training={"batch_size": 440, "epochs": 10, "defense_options": {}, "epsilon": 4.0},
    )
    right = study.study(asked)
    wrong = study.study(asked, trainer=HalfNoise)
    assert [row["verdict"] for row in right.rows] == [verdicts.CONSISTENT]
    assert [row["verdict"] for row in wrong.rows] == [verdicts.REFUTED]
    assert right.rows[0]["audited"] > 1.5
    assert right.rows[0]["claimed"] == pytest.approx(4.0, rel=0.02)


def test_mislabelled_examples_are_found_in_a_model_without_a_defense():
    asked = scenario(
        canary="mislabelled",
        methods=("one-run", "threshold"),
        training={
            "defense": "none",
            "defense_options": {},
            "batch_size": 32,
            "epochs": 40,
            "count": 200,
            "lr": 0.3,
        },
    )
    record = study.study(asked)
    assert record.summary["audits"]["auc"]["low"] > 0.75
    assert all(
        row["verdict"] == verdicts.UNCLAIMED and row["claimed"] is None for row in record.rows
    )
    assert record.rows[0]["audited"] > 0.5


def test_a_black_box_that_finds_nothing_without_a_defense_either_judges_nothing():
    """So few steps that no model learns its mislabelled examples."""
    asked = scenario(
        canary="mislabelled", methods=("one-run",), claim=0.5, training={"lr": 1e-3, "epochs": 1}
    )
    (row,) = study.study(asked).rows
    assert row["reach"] > 2 and row["control"] <= 0.5
    assert row["verdict"] == verdicts.CANNOT_JUDGE
    assert row["doubt"].startswith("without the defense the same audit proves no more than")


def test_runs_of_one_canary_are_kept_and_do_not_depend_on_the_processes(tmp_path):
    asked = scenario(
        canaries=2, runs=4, methods=("one-run",), training={"batch_size": 20, "epochs": 1}
    )
    alone = study.study(asked, out=tmp_path)
    assert len(list((tmp_path / "partial").glob("*-00??.json"))) == 4
    shared = study.study(asked, jobs=2)
    assert canonical(alone) == canonical(shared)
    for path in (tmp_path / "partial").glob("*-000[01].json"):
        path.unlink()
    assert canonical(study.study(asked, out=tmp_path)) == canonical(alone)


def test_a_record_of_an_audit_goes_onto_the_page(tmp_path):
    from reports.records.find import Gathered, Source
    from reports.records.kinds import sort_out

    record = study.study(scenario(methods=("gdp", "one-run")))
    found = sort_out(Gathered([Source(record, tmp_path)], []))
    (audit,) = found.audits
    assert [row.method for row in audit.rows] == ["gdp", "one-run"]
    assert not any(row.broken for row in audit.rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defense", "options"), [("dpsgd", {}), ("dprs", {"rate": 0.5}), ("dprs", {"rate": 0.9})]
)
def test_twenty_right_trainings_at_epsilon_8(defense, options):
    found = []
    for seed in range(20):
        training = {
            **{"defense": defense, "defense_options": options, "epsilon": 8.0, "count": 500},
            **{"batch_size": 1500, "epochs": 20},
        }
        record = study.study(scenario(seed=seed, canaries=2000, canary="random", training=training))
        found.append(record.rows[0]["audited"])
    assert min(found) >= 4
    assert sum(bound > 8 for bound in found) <= binom.ppf(0.999, 20, 0.05)
