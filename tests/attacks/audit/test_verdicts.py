"""What is said of a claim, and of one that rests on no Gaussian mechanism."""

from __future__ import annotations

import math

import pytest

from attacks.audit import study, verdicts
from attacks.audit.__main__ import main
from attacks.audit.scenario import Scenario
from attacks.leakage.fixture import Leakage
from defenses.conformance import examine
from reports.records import audit
from tests.zoo.laplace import Laplace
from victims.training import Training

SPEC = "tests.zoo.laplace:Laplace"


def scenario(share: float = 1.0, seed: int = 0, **changes) -> Scenario:
    """Four full batches of a defense that claims epsilon 2; ``share`` 1 is correct."""
    options = {"per_step": 0.5, "share": share}
    training = Training(
        count=20, batch_size=270, epochs=4, lr=0.1, defense=SPEC, defense_options=options
    )
    return Scenario(training, **{"canaries": 500, "seed": seed, **changes})


@pytest.mark.parametrize(
    ("claimed", "audited", "reach", "bare", "said", "why"),
    [
        (8.0, 1.0, 33.0, None, verdicts.CONSISTENT, ""),
        (8.0, 9.0, 33.0, None, verdicts.REFUTED, ""),
        (
            40.0,
            1.0,
            33.0,
            None,
            verdicts.CANNOT_JUDGE,
            "even perfect scores would prove no more than",
        ),
        (33.0, 33.0, 33.0, None, verdicts.CANNOT_JUDGE, "epsilon 33"),
        (8.0, 1.0, 33.0, 2.0, verdicts.CANNOT_JUDGE, "without the defense"),
        (8.0, 9.0, 33.0, 2.0, verdicts.REFUTED, "without the defense"),
        (8.0, 1.0, 33.0, 12.0, verdicts.CONSISTENT, ""),
        (math.inf, 1.0, 0.0, None, verdicts.UNCLAIMED, ""),
    ],
)
def test_a_claim_that_could_not_be_refuted_is_not_called_consistent(
    claimed, audited, reach, bare, said, why
):
    told = verdicts.doubt(claimed, reach, bare)
    assert why in told and bool(why) == bool(told)
    assert verdicts.verdict(claimed, audited, doubted=told) == said


def test_a_correct_laplace_defense_is_not_refuted():
    for seed in range(4):
        record = study.study(scenario(seed=seed))
        assert [row["method"] for row in record.rows] == ["one-run", "threshold"]
        assert {row["verdict"] for row in record.rows} == {verdicts.CONSISTENT}
        assert record.rows[0]["claimed"] == pytest.approx(2.0)


def test_a_third_of_the_laplace_noise_is_refuted():
    record = study.study(scenario(share=1 / 3))
    assert audit.parse(record).broken
    assert all(not row["unclaimed"] for row in record.rows)


def test_a_gaussian_auditor_that_is_asked_for_says_what_it_rests_on(tmp_path, capsys):
    flags = [
        *("--defense", SPEC, "--per-step", "0.5", "--count", "20", "--batch-size", "270"),
        *("--epochs", "4", "--lr", "0.1", "--canaries", "500", "--methods", "gdp"),
        *("--claim", "0.5"),
    ]
    assert main([*flags, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert verdicts.IF_GAUSSIAN in told
    assert "does not claim to be a Gaussian mechanism" in told


def test_a_verdict_names_the_assumption_that_the_defense_does_not_claim():
    assert verdicts.verdict(1.0, 2.0) == verdicts.REFUTED
    assert verdicts.verdict(1.0, 2.0, verdicts.GAUSSIAN) == verdicts.IF_GAUSSIAN
    assert verdicts.verdict(1.0, 0.5, verdicts.GAUSSIAN) == verdicts.CONSISTENT


def test_a_page_does_not_call_it_refuted(tmp_path):
    from reports.evidence.refuted import refutations
    from reports.records.find import Gathered, Source
    from reports.records.kinds import sort_out

    record = study.study(scenario(methods=("gdp",), claim=0.01))
    record.rows[0] |= {"audited": 5.0, "verdict": verdicts.IF_GAUSSIAN}
    found = sort_out(Gathered([Source(record, tmp_path)], [])).audits
    assert found[0].rows[0].unclaimed == verdicts.GAUSSIAN
    assert not refutations([], [], found)


def test_a_leakage_test_counts_no_assumption_that_is_not_claimed(tmp_path):
    leakage = Leakage(tmp_path, tmp_path, "test")
    fields = {"count": 20, "epochs": 4, "canaries": 300}
    usual_one = leakage.audit(Laplace(per_step=0.5), **fields)
    assert not usual_one.refuted
    assert "fair coin" in usual_one.headline() + " ".join(usual_one.context())
    asked = leakage.audit(Laplace(per_step=0.5), methods=("gdp",), claim=0.01, **fields)
    assert float(asked.epsilon_low) > 0.01
    assert not asked.refuted
    assert "if of a Gaussian mechanism" in str(asked.epsilon_low.leak.name)
    assert any("does not claim to be a Gaussian" in line for line in asked.context())


@pytest.mark.parametrize("seed", range(3))
def test_laplace_noise_conforms(seed):
    assert not [str(f) for f in examine(Laplace(), seed=seed) if not f.holds]


def test_less_laplace_noise_than_is_stated_is_seen():
    class Quiet(Laplace):
        def finish(self, total, plan, *, batch_size, generator):
            made = super().finish(total, plan, batch_size=batch_size, generator=generator)
            known = {k: v / batch_size for k, v in total.items()}
            update = {k: known[k] + 0.5 * (v - known[k]) for k, v in made.update.items()}
            return type(made)(update, made.public, made.wire_bytes)

    wrong = examine(Quiet())
    assert any("of the stated" in str(f) for f in wrong if not f.holds)
