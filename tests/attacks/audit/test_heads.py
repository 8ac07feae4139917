"""An audit of a head scores by the exact likelihood, spares what holds, refutes what does not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from scipy.stats import norm

from attacks.audit.heads.__main__ import main
from attacks.audit.heads.command import command_line, parse, scenario
from attacks.audit.heads.likelihood import log_ratios
from attacks.audit.heads.scenario import Scenario
from attacks.audit.heads.study import play, study
from defenses import BadInput
from reports.commands.progress import unwatched
from reports.records import audit
from tests.victims.transfer.methods import small
from victims.training.streams import Repeatable
from victims.transfer import Gaussian
from victims.transfer.conformance.neighbours import private
from victims.transfer.contract import registry
from victims.transfer.features import store
from victims.transfer.methods.dp_ls import LeastSquares
from victims.transfer.prepare import prepare
from victims.transfer.scenario import Transfer

HEAD = Transfer(backbone="raw", count=60, method="dp-ls", epsilon=8.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))


def joined():
    p = private()
    row = torch.nn.functional.one_hot(torch.tensor([3]), p.dim).to(p.features) * 0.999
    features, labels = torch.cat([p.features, row]), torch.cat([p.labels, torch.tensor([1])])
    return p, dataclasses.replace(p, features=features, labels=labels)


@pytest.mark.parametrize("method", [m for m in small() if m.name != "dp-sgd"], ids=repr)
def test_scores_are_log_likelihood_ratios(method):
    """Of releases without the example exp(score) averages to 1; with it, exp(-score) does."""
    without, more = joined()
    sums = {}
    for there, problem in ((False, without), (True, more)):
        total = []
        for run in range(60):
            mechanism = Gaussian(4.0, Repeatable(0, f"{there} {run}"), keep=True)
            method.fit(problem, mechanism)
            ratios = log_ratios(method, without, more, mechanism.seen)
            assert len(ratios) == method.releases()
            total.append(float(ratios.sum()))
        sums[there] = torch.tensor(total)
    # mu is about sqrt(releases) / 4, below 1: the ratio's own spread is e^mu^2 - 1.
    for there, sign in ((False, 1), (True, -1)):
        ratio = (sign * sums[there]).exp()
        assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / 60**0.5
    assert float(sums[True].mean()) > float(sums[False].mean())


def test_the_optimal_adversary_of_least_squares_is_as_good_as_mu_says():
    """Its two releases both move by their whole sensitivity, whoever joins."""
    game = Scenario(HEAD, runs=400)
    prepared = prepare(HEAD, folder=store())
    scores, inserted = play(game, prepared, unwatched)
    mu = prepared.plan.mu
    apart = scores[-1][inserted].mean() - scores[-1][~inserted].mean()
    assert float(apart) == pytest.approx(mu**2, rel=0.2)
    assert float(scores[-1][~inserted].std()) == pytest.approx(mu, rel=0.15)
    right = ((scores[-1] > 0) == inserted).double().mean()
    assert float(right) == pytest.approx(float(norm.cdf(mu / 2)), abs=0.07)


def test_a_claim_that_holds_is_spared_and_recorded(capsys):
    words = ["--method", "dp-fc", "--steps", "2", "--epsilon", "4", "--count", "60"]
    assert main([*words, "--runs", "120", "--out", "out"]) == 0
    told = capsys.readouterr().out
    assert "verdict: consistent" in told
    assert "by gdp" in told
    assert main([*words, "--runs", "120", "--out", "out"]) == 0
    assert "holds this result already" in capsys.readouterr().out


@dataclass(frozen=True)
class Understated(LeastSquares):
    """States a sixteenth of the sensitivity of its class sums."""

    def fit(self, problem, mechanism):
        class Little:
            release_symmetric, std = mechanism.release_symmetric, mechanism.std

            def release(self, value, sensitivity, *name):
                return mechanism.release(value, sensitivity / 16, *name)

        return super().fit(problem, Little())


def test_a_claim_that_does_not_hold_is_refuted():
    with registry.standing_in("dp-ls", Understated):
        record = study(Scenario(dataclasses.replace(HEAD, epsilon=1.0), runs=200))
    (row,) = audit.parse(record).rows
    assert row.broken
    assert row.verdict == "claim refuted"
    assert row.audited > 1.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--method", "dp-sgd", "--batch-size", "20", "--noise-multiplier", "1"],
            "take attacks.audit --layers last",
        ),
        (["--epsilon", "inf"], "nothing to audit"),
        (["--runs", "5"], "too few"),
        (["--runs", "1"], "runs is 1"),
        (["--confidence", "1"], "confidence is 1"),
        (["--claim", "-1"], "claim is -1"),
        (["--canary", "dirac"], "known: mislabelled"),
        (["--auditor", "oracle"], "unknown auditor"),
    ],
)
def test_what_cannot_be_audited_is_refused(words, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        main(["--count", "60", *words, "--out", "out"])
    assert not (tmp_path / "out").exists()


def test_the_command_line_says_the_scenario_again():
    words = ["--method", "dp-newton", "--steps", "2", "--epsilon", "3", "--runs", "99"]
    game = scenario(parse([*words, "--seed", "5", "--claim", "2"]))
    assert scenario(parse(command_line(game).split()[3:])) == game
