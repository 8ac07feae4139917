"""Auditors on scores whose true epsilon is known, and the game they are used in."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

import defenses
from attacks import audit
from attacks.audit import control, study, verdicts
from attacks.audit.__main__ import main
from attacks.audit.counts import Counts
from attacks.audit.game.canaries import Canaries
from attacks.audit.game.play import plan_with_canaries, play
from attacks.audit.game.seen import Course, Seen
from attacks.audit.game.white_box import contribution
from attacks.audit.guesses import Guesses
from attacks.audit.methods import gdp, one_run
from attacks.audit.scenario import Scenario
from defenses import BadInput, Release, stream
from defenses.privacy.accounting import gaussian_epsilon
from defenses.privacy.tradeoff import epsilon_of, mu_of
from reports.records import canonical
from victims.training import Training
from victims.training.prepare import prepare
from victims.training.trainer import Trainer

METHODS = audit.names()
DELTA = 1e-5
# Medians that other auditors with correct false-alarm rates reach on the same task.
REACHED = {
    "one-run": (1.26, 2.72, 3.62),
    "one-run-fdp": (1.76, 4.31, 6.34),
    "gdp": (3.20, 8.27, 14.48),
}


def gaussian(canaries: int, mu: float, seed: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of a mechanism that is exactly mu-GDP, and fair coins."""
    draw = stream(0, "gaussian", canaries, mu, seed)
    coins = torch.rand(canaries, generator=draw) < 0.5
    return torch.randn(canaries, generator=draw, dtype=torch.float64) + mu * coins, coins


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("canaries", "mu"), [(60, 0.0), (250, 0.0), (250, 1.0), (60, 3.0)])
def test_a_true_claim_is_refuted_no_more_often_than_stated(method, canaries, mu):
    trials, truth = 200, epsilon_of(mu, DELTA)
    above = sum(
        audit.lower_bound(*gaussian(canaries, mu, t), delta=DELTA, method=method) > truth + 1e-9
        for t in range(trials)
    )
    assert above <= binom.ppf(0.999, trials, 0.05)


@pytest.mark.parametrize("method", REACHED)
def test_bounds_are_as_high_as_the_best_known_at_a_thousand_canaries(method):
    for mu, known in zip((1.0, 2.0, 3.0), REACHED[method], strict=True):
        found = [
            audit.lower_bound(*gaussian(1000, mu, t), delta=DELTA, method=method) for t in range(25)
        ]
        assert known <= float(np.median(found)) <= epsilon_of(mu, DELTA)


@pytest.mark.parametrize("method", METHODS)
class TestEveryAuditor:
    def test_more_canaries_prove_more(self, method):
        few, many = (
            np.median(
                [
                    audit.lower_bound(*gaussian(n, 2.0, t), delta=DELTA, method=method)
                    for t in range(11)
                ]
            )
            for n in (100, 1600)
        )
        assert many > few

    def test_scores_of_the_wrong_sign_prove_nothing(self, method):
        scores, coins = gaussian(500, 3.0, 0)
        assert audit.lower_bound(-scores, coins, delta=DELTA, method=method) == 0

    def test_neither_the_scale_nor_the_order_of_canaries_matters_much(self, method):
        scores, coins = gaussian(500, 2.0, 1)
        once = audit.lower_bound(scores, coins, delta=DELTA, method=method)
        again = audit.lower_bound(scores.exp() * 9, coins, delta=DELTA, method=method)
        assert once == pytest.approx(again, abs=1e-9)

    def test_equal_scores_are_not_told_apart_by_where_they_stand(self, method):
        coins = torch.arange(1000) < 500  # those inserted come first
        scores = torch.zeros(1000)
        scores[::100] = 1.0
        assert audit.lower_bound(scores, coins, delta=DELTA, method=method) < 0.7

    def test_a_higher_confidence_proves_less(self, method):
        scores, coins = gaussian(400, 2.5, 2)
        bounds = [
            audit.lower_bound(scores, coins, delta=DELTA, method=method, confidence=c)
            for c in (0.8, 0.95, 0.999)
        ]
        assert bounds == sorted(bounds, reverse=True)
        assert bounds[0] > bounds[2]

    def test_too_few_canaries_are_refused_with_the_number_it_takes(self, method):
        with pytest.raises(BadInput, match="too few for confidence") as error:
            audit.lower_bound([1.0, 2.0, 3.0], [0, 1, 1], delta=DELTA, method=method)
        enough = int(str(error.value).split(" takes ")[1].split(",")[0])
        coins = torch.arange(enough) % 2 == 0
        assert audit.lower_bound(coins.double(), coins, delta=DELTA, method=method) > 0

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"scores": torch.tensor([math.nan] * 100)}, "100 of 100 scores are NaN"),
            ({"scores": torch.ones(100)}, "all 100 scores are equal"),
            ({"scores": torch.rand(99)}, "both must be"),
            ({"inserted": torch.ones(100)}, "all of the 100 canaries are inserted"),
            ({"inserted": torch.zeros(100)}, "none of the 100 canaries are inserted"),
            ({"inserted": torch.full((100,), 0.5)}, "inserted must be bools"),
            ({"delta": 0.0}, "delta is 0"),
            ({"delta": 1.0}, "delta is 1"),
            ({"confidence": 1.0}, "confidence is 1"),
        ],
    )
    def test_bad_input_takes_one_line(self, method, change, said):
        scores, coins = gaussian(100, 1.0, 0)
        given = {"scores": scores, "inserted": coins, "delta": DELTA, "method": method} | change
        with pytest.raises(BadInput, match=said) as error:
            audit.lower_bound(given.pop("scores"), given.pop("inserted"), **given)
        assert "\n" not in str(error.value)

    def test_it_says_what_it_assumes(self, method):
        assert audit.registry.find(method).assumes


def test_gaussian_dp_converts_as_the_tight_accountant_does():
    for noise in (0.7, 1.0, 3.0):
        tight = gaussian_epsilon(noise, steps=1, sample_rate=1.0, delta=DELTA, accountant="prv")
        assert epsilon_of(1 / noise, DELTA) == pytest.approx(tight, rel=0.02)
        assert mu_of(epsilon_of(1 / noise, DELTA), DELTA) == pytest.approx(1 / noise)
    assert epsilon_of(0.0, DELTA) == 0


def test_the_exact_p_value_is_the_worst_simulated_one():
    draw = np.random.default_rng(0)
    seen, mu = Counts(40, 9, 60, 15), 1.2
    errors = seen.false / seen.outside + seen.missed / seen.inside
    simulated = max(
        np.mean(
            draw.binomial(40, norm.sf(t + mu / 2), 200_000) / 40
            + draw.binomial(60, norm.cdf(t - mu / 2), 200_000) / 60
            <= errors + 1e-9
        )
        for t in np.linspace(-1, 1, 9)
    )
    assert gdp.p_value(seen, mu) == pytest.approx(simulated, abs=0.005)


def test_without_delta_the_one_run_p_value_is_a_binomial_tail():
    seen = Guesses(canaries=100, count=40, right=30)
    share = math.e / (1 + math.e)
    expected = sum(binom.pmf(k, 40, share) for k in range(30, 41))
    assert one_run.p_value(seen, 1.0, 0.0) == pytest.approx(expected)
    assert one_run.p_value(seen, 1.0, 1e-3) > expected


def test_randomised_response_is_bounded_by_its_epsilon():
    """Pure DP, where a bit is told truly with probability e^eps / (1 + e^eps)."""
    truth, above = 1.5, {name: 0 for name in ("threshold", "one-run")}
    for trial in range(100):
        draw = stream(1, "response", trial)
        coins = torch.rand(400, generator=draw) < 0.5
        honest = torch.rand(400, generator=draw) < 1 / (1 + math.exp(-truth))
        told = torch.where(honest, coins, ~coins).double()
        for name in above:
            above[name] += audit.lower_bound(told, coins, delta=1e-6, method=name) > truth
    assert max(above.values()) <= binom.ppf(0.999, 100, 0.05)


LIKE = {"weight": torch.zeros(30, 20), "bias": torch.zeros(30)}


@pytest.mark.parametrize("kind", ["dirac", "random"])
def test_canaries_have_their_length_and_join_at_the_sample_rate(kind):
    canaries = Canaries(LIKE, count=200, kind=kind, length=7.0, sample_rate=0.3, seed=1)
    inside = int(canaries.inserted.sum())
    grads = canaries.gradients(torch.arange(inside))
    lengths = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
    assert torch.allclose(lengths, torch.full((inside,), 7.0))
    joined = sum(len(canaries.joining(step)) for step in range(200))
    assert abs(joined / (200 * inside) - 0.3) < 5 * math.sqrt(0.21 / (200 * inside))
    if kind == "dirac":
        together = sum(g.sum(0).count_nonzero() for g in grads.values())
        assert together == inside  # no two share a coordinate


@pytest.mark.parametrize(
    ("defense", "options", "kind"),
    [("dpsgd", {}, "dirac"), ("dpsgd", {}, "random"), ("dprs", {"rate": 0.5}, "random")],
)
def test_scores_of_a_gaussian_mechanism_have_its_mu(defense, options, kind):
    """Full batches of nothing but canaries: the ROC area is Phi(mu / sqrt 2), mu sqrt(T)/sigma."""
    shield = defenses.get(defense, noise_multiplier=4.0, clip=0.5, **options)
    like = {"weight": torch.zeros(100, 50)}
    canaries = Canaries(like, count=1000, kind=kind, length=5.0, seed=3)
    everyone = torch.arange(int(canaries.inserted.sum()))
    for step in range(16):
        release = shield.release(
            canaries.gradients(everyone), batch_size=500, generator=stream(0, "n", step)
        )
        canaries.observe(release, shield)
    outside, inside = canaries.scores[~canaries.inserted], canaries.scores[canaries.inserted]
    area = float((inside[:, None] > outside).double().mean())
    # Other canaries are noise too: random directions overlap by 1 / sqrt(kept coordinates).
    # Half of them, on average, is known and subtracted.
    kept = 5_000 * (1 - options.get("rate", 0.0))
    crowd = math.sqrt(1 + (250 / kept if kind == "random" else 0))
    assert area == pytest.approx(norm.cdf(1.0 / crowd / math.sqrt(2)), abs=0.045)


def scenario(**changes) -> Scenario:
    training = Training(
        data="digits",
        count=40,
        model="mlp",
        defense="dpsgd",
        defense_options={"noise_multiplier": 2.0},
        batch_size=70,
        epochs=6,
        lr=0.1,
        accountant="rdp",  # the other one takes a second per look
    )
    training = dataclasses.replace(training, **changes.pop("training", {}))
    return Scenario(training, **{"canaries": 200, "seed": 5, **changes})


def test_the_sample_rate_does_not_tell_the_coins():
    plans = [plan_with_canaries(scenario(seed=seed)) for seed in range(5)]
    assert len({p.sample_rate for p in plans}) == len({p.steps for p in plans}) == 1


def test_the_trainers_own_sampler_draws_the_canaries():
    drawn = []

    class Counting(Trainer):
        def __init__(self, *given, join) -> None:
            counted = lambda index: drawn.append(len(index)) or join(index)  # noqa: E731
            super().__init__(*given, join=counted)

    seen = play(scenario(), trainer=Counting)
    inside, rate = int(seen.inserted.sum()), plan_with_canaries(scenario()).sample_rate
    assert len(drawn) == seen.steps[-1]
    spread = math.sqrt(len(drawn) * inside * rate * (1 - rate))
    assert abs(sum(drawn) - len(drawn) * inside * rate) < 5 * spread
    assert len(set(drawn)) > 1  # Poisson: their number varies


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


# The positive control: what an audit could have come to


def coins(count: int, visible: torch.Tensor | None = None) -> Seen:
    return Seen(torch.arange(count) % 2 == 0, torch.zeros(1, count), [1], visible)


@pytest.mark.parametrize("method", METHODS)
def test_the_reach_is_what_perfect_scores_prove(method):
    asked = scenario(methods=(method,))
    found = {n: control.reaches(asked, [coins(n)])[method] for n in (100, 400)}
    for count, reach in found.items():
        bits = coins(count).inserted
        assert reach == audit.lower_bound(bits.double(), bits, delta=DELTA, method=method)
    assert 0 < found[100] < found[400]
    assert control.reaches(asked, [coins(200), coins(200)])[method] == found[400]


def test_the_reach_of_one_run_is_that_of_all_guesses_right():
    asked = dataclasses.replace(scenario(methods=("one-run",)), confidence=0.9)
    asked = dataclasses.replace(asked, training=dataclasses.replace(asked.training, delta=1e-15))
    (found,) = control.reaches(asked, [coins(200)]).values()
    share = (0.1 / 5) ** (1 / 200)  # five numbers of guesses share alpha
    assert found == pytest.approx(math.log(share / (1 - share)), abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_canaries_that_no_release_holds_prove_nothing_and_few_that_are_held_prove_less(method):
    asked = scenario(methods=(method,))
    reach = [
        control.reaches(asked, [coins(400, torch.arange(400) < seen)])[method]
        for seen in (0, 80, 400)
    ]
    assert reach[0] == 0 and reach[0] <= reach[1] < reach[2]


def test_a_defense_that_drops_a_canary_altogether_leaves_it_invisible():
    class Blind(type(defenses.get("dpsgd"))):
        """Drops the first half of every parameter."""

        def contribute(self, grads, plan):
            total = super().contribute(grads, plan)
            for value in total.values():
                value[: len(value) // 2] = 0
            return total

    shield = Blind()
    canaries = Canaries({"w": torch.zeros(400)}, count=200, seed=0)
    inside = torch.arange(int(canaries.inserted.sum()))
    release = shield.release(
        canaries.gradients(inside), batch_size=100, generator=stream(0, "blind")
    )
    canaries.observe(release, shield)
    held = canaries.rows[:, 200:].any(1)
    assert torch.equal(canaries.visible, held) and 0 < int(held.sum()) < 200


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


def test_a_black_box_that_finds_nothing_without_a_defense_either_judges_nothing():
    """So few steps that no model learns its mislabelled examples."""
    asked = scenario(
        canary="mislabelled", methods=("one-run",), claim=0.5, training={"lr": 1e-3, "epochs": 1}
    )
    (row,) = study.study(asked).rows
    assert row["reach"] > 2 and row["control"] <= 0.5
    assert row["verdict"] == verdicts.CANNOT_JUDGE
    assert row["doubt"].startswith("without the defense the same audit proves no more than")


def test_the_command_says_that_it_cannot_judge_and_leaves_with_0(tmp_path, capsys):
    asked = [*QUICK, "--claim", "90", "--out", str(tmp_path)]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "cannot be judged: even perfect scores would prove no more than epsilon" in told
    assert "consistent" not in told


def test_an_interrupted_run_goes_on_to_the_same_scores():
    asked, kept = scenario(), {}

    def stop(line: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    course = Course(lambda: dict(kept) or None, lambda state: kept.update(state), every=2)
    with pytest.raises(KeyboardInterrupt):
        play(asked, course=course, report=stop)
    assert int(kept["progress"][0]) == 4
    resumed, whole = play(asked, course=course), play(asked)
    assert torch.equal(resumed.scores, whole.scores)


def test_runs_of_one_canary_are_kept_and_do_not_depend_on_the_processes(tmp_path):
    asked = scenario(
        canaries=2, runs=6, methods=("one-run",), training={"batch_size": 20, "epochs": 1}
    )
    alone = study.study(asked, out=tmp_path)
    assert len(list((tmp_path / "partial").glob("*-00??.json"))) == 6
    shared = study.study(asked, jobs=2)
    assert canonical(alone) == canonical(shared)
    for path in (tmp_path / "partial").glob("*-000?.json"):
        path.unlink()
    assert canonical(study.study(asked, out=tmp_path)) == canonical(alone)


QUICK = [
    *("--data", "digits", "--count", "40", "--canaries", "300", "--batch-size", "190"),
    *(
        "--accountant",
        "rdp",
        "--epochs",
        "8",
        "--defense",
        "dpsgd",
        "--epsilon",
        "8",
        "--lr",
        "0.1",
    ),
]


def test_the_command_leaves_with_1_when_a_claim_is_refuted(tmp_path, capsys):
    assert main([*QUICK, "--out", str(tmp_path / "kept")]) == 0
    assert "consistent" in capsys.readouterr().out
    assert main([*QUICK, "--claim", "0.5", "--out", str(tmp_path / "broken")]) == 1
    assert "claim refuted" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "broken").iterdir()} == {
        *("result.json", "arrays.safetensors", "epsilon.png", "scores.png", ".leakgauge")
    }
    assert main([*QUICK, "--out", str(tmp_path / "kept")]) == 0
    assert "holds this result already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--canaries", "1"], "one canary in one run proves nothing"),
        (["--canaries", "4"], "too few for confidence"),
        (["--methods", "magic"], "unknown auditor 'magic'; known: gdp, one-run"),
        (["--confidence", "1.5"], "confidence is 1.5"),
        (["--claim", "-1"], "claim is -1"),
        (["--length", "0"], "length is 0"),
        (["--canaries", "20000"], "Dirac canaries need 20000 coordinates"),
        (["--delta", "0"], "delta is 0"),
        (["--batch-size", "4000"], "larger than the 190 examples"),
    ],
)
def test_bad_flags_take_one_line_and_leave_nothing(tmp_path, flags, said):
    with pytest.raises(BadInput, match=said) as error:
        main([*QUICK, *flags, "--out", str(tmp_path / "out")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


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


@pytest.mark.parametrize(
    "changed",
    [
        {"defense": "dpsgd"},
        {"defense": "dpsgd+ats"},
        {"defense": "dpsgd+precode"},
        {"defense": "dpsgd", "views": 2, "model": "lenet"},
        {"defense": "dprs", "defense_options": {"noise_multiplier": 0.0, "rate": 0.5}},
    ],
    ids=lambda c: " ".join(str(v) for v in c.values()),
)
def test_what_the_others_gave_is_known_to_the_adversary(changed):
    """Their views, augmentations and draws too: without noise nothing is left of a release."""
    about = {"data": "digits", "model": "mlp", "count": 60, "batch_size": 20, "epochs": 2}
    options = {"defense_options": {"noise_multiplier": 0.0}}
    victim = prepare(Training(**{**about, **options, **changed})).trainer
    for _ in range(3):
        believed, weights, index = victim.informed(), victim.weights(), victim.sample()
        release = victim.advance()
        known = contribution(victim, index, weights, believed, release)
        for name, value in release.update.items():
            left = (value - known[name]).norm()
            assert float(left) <= 1e-4 * max(float(value.norm()), 1e-6)
