"""Leakage as a test: the pytest plugin, its messages, its baselines, the worked example."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pickle
import shutil
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import defenses
from attacks.leakage.baselines import check, growth, store
from attacks.leakage.fixture import Leakage, plain
from attacks.leakage.numbers import Bound, Leak, Verdict, explain
from attacks.leakage.results import membership
from attacks.leakage.subject import Subject
from defenses import BadInput, Compression, option
from defenses.conformance import CHECKS
from reports import detection
from reports.estimates import Estimate

pytest_plugins = ["pytester"]  # the plugin under test comes with the installed package

ROOT = Path(__file__).parents[3]
TINY = {"model": "linear", "images": 8, "attack": "bayes", "attack_options": {"iterations": 40}}
SMALL = {"model": "linear", "count": 100, "epochs": 2}
MEMBERSHIP = {**SMALL, "shadows": 2, "population": 20}
AUDIT = {**SMALL, "canaries": 60, "epochs": 1}


@dataclass(frozen=True)
class Coarse(Compression):
    """A user's own: known to nobody but this file."""

    step: float = option(0.01, "distance of the levels", low=0, open_low=True)
    hidden: int = dataclasses.field(default=0, metadata={"hidden": True})

    def compress(self, mean, plan, generator):
        update = {k: self.step * (v / self.step).round() for k, v in mean.items()}
        return update, sum(v.numel() for v in update.values())

    def noise(self, release):
        return self.step / 12**0.5


@dataclass(frozen=True)
class Misleading(Coarse):
    """Its replay explains nothing."""

    def replay(self, grads, release):
        return {k: 0 * v for k, v in super().replay(grads, release).items()}


@pytest.fixture
def told():
    return []


@pytest.fixture
def gauge(tmp_path, told):
    folders = {"out": tmp_path / "out", "baselines": tmp_path / "leakage_baselines"}
    return Leakage(**folders, test="test_mine.test_it", tell=told.append)


@pytest.fixture(scope="module")
def inverted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inverted")
    return Leakage(folder, folder, "test_mine.test_it").invert(Coarse(), **TINY)


# What is measured


def test_an_inversion_tells_both_attackers_and_what_guessing_gives(inverted):
    summary = inverted.records[0].summary
    for column, result in (("adaptive", inverted), ("naive", inverted.naive)):
        for score in ("psnr",):
            found, stored = getattr(result, score), summary[f"Coarse/{column}"][score]
            assert (found.mean, found.low, found.high) == tuple(
                stored[k] for k in ("mean", "low", "high")
            )
            assert found.n == 8
    prior = inverted.records[0].baseline
    assert inverted.psnr.baseline.mean == pytest.approx(prior[prior["shown"]]["psnr"]["mean"])
    assert inverted.gain.mean == pytest.approx(inverted.psnr.mean - inverted.psnr.baseline.mean)
    assert inverted.named.baseline == Estimate.exact(1 / 64)
    assert inverted.named.bound == 1 and math.isinf(inverted.epsilon)
    assert inverted.adaptive and not inverted.naive.adaptive
    assert math.isnan(inverted.lpips.high)  # digits are too small for it
    assert inverted.lpips.show() == "adaptive LPIPS not measured"


def test_the_same_test_gives_the_same_numbers_and_leaves_no_name(gauge, inverted):
    before = defenses.names(), torch.get_num_threads()
    again = gauge.invert(Coarse(), **TINY)
    assert again.units() == inverted.units()
    assert (defenses.names(), torch.get_num_threads()) == before
    with pytest.raises(BadInput, match="unknown defense"):
        defenses.get("Coarse")


def test_seeds_are_pooled_and_columns_may_be_left_out(gauge):
    few = {**TINY, "images": 4}
    both = gauge.invert(Coarse(), seeds=2, columns="adaptive", **few)
    assert both.psnr.n == 8
    assert set(both.units()["psnr"]) == {f"{s}/{i}" for s in (0, 1) for i in range(4)}
    with pytest.raises(BadInput, match="the naive attacker was not run"):
        _ = both.naive
    naive = gauge.invert(Coarse(), columns="naive", **few)
    assert naive.column == "naive" and not naive.adaptive
    assert naive.doubt == "only the naive attacker was run"
    assert not naive.psnr.high < 60 and not naive.psnr.low < 60


def test_an_attacker_with_a_wrong_replay_is_not_adaptive(gauge):
    found = gauge.invert(Misleading(), **{**TINY, "images": 1})
    assert not found.adaptive
    assert "conformance, replay: " in repr(found.adaptive)
    with pytest.raises(AssertionError, match="does not conform\nBROKEN  replay"):
        gauge.conforms(Misleading())
    assert {f.check for f in gauge.conforms(Coarse())} >= {"replay", "adaptive", "public"}


def test_a_schedule_is_judged_in_its_worst_round(gauge):
    """At the final rate nothing is left; the first epoch is dense."""
    options = {"rate": 0.999, "noise_multiplier": 0.001}
    patient = {**TINY, "attack_options": {"iterations": 40}}
    found = gauge.invert("dprs", defense_options=options, columns="adaptive", **patient)
    assert found.adaptive and found.gain.low > 0
    assert any("step 0 (rate 0) gives most away" in line for line in found.context())
    last = found.records[0].summary["dprs@999/adaptive"]["psnr"]["mean"]
    assert last < found.psnr.mean - 5


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"attack": "prior", "attack_options": {}}, "the undefended update was not rebuilt either"),
        ({"budget": 1e-9}, "the clock cut the attack short"),
    ],
)
def test_an_attack_that_could_find_nothing_is_no_evidence(gauge, told, changed, reason):
    given = {**TINY, "images": 2, "attack": "bayes", "attack_options": {"iterations": 3}}
    found = gauge.invert(Coarse(step=0.5), **{**given, **changed})
    assert not found.adaptive and "cannot be judged: " in repr(found.adaptive)
    assert not found.psnr.high < 99 and not found.gain.high < 99 and not found.named.high < 2
    assert "cannot be judged: " in told[-1]
    if "attack" in changed:
        assert found.doubt == reason
        assert f"cannot be judged: {reason}" in explain("<", found.psnr.high, 99)
        with pytest.raises(AssertionError, match=f"cannot be judged: {reason}"):
            gauge.check(found)


@dataclass(frozen=True)
class Broken(Compression):
    """Releases no numbers."""

    def compress(self, mean, plan, generator):
        return {k: v * math.nan for k, v in mean.items()}, 1


def test_an_update_of_no_numbers_is_refused(gauge):
    for attack in ("bayes", "auto"):
        given = {**TINY, "attack": attack, "attack_options": {"iterations": 2}, "images": 1}
        with pytest.raises(BadInput, match="the update holds NaN or infinite values"):
            gauge.invert(Broken(), **given)


def test_the_undefended_update_is_attacked_whatever_a_test_compares_with(gauge):
    for against in ((), ("dpsgd",), ("none",)):
        found = gauge.invert(Coarse(), against=against, **{**TINY, "images": 1})
        assert "none/adaptive" in found.records[0].summary


@dataclass(frozen=True)
class Frozen(defenses.Compression):
    """Training under it learns nothing."""

    scale: float = option(0.001, "of the gradient", low=0)

    def compress(self, mean, plan, generator):
        update = {k: self.scale * v for k, v in mean.items()}
        return update, sum(v.numel() for v in update.values())


def test_a_target_that_did_not_learn_is_no_evidence(gauge, told):
    idle = gauge.membership(Frozen(), **MEMBERSHIP)
    assert not idle.learned and "the target did not learn" in repr(idle.learned)
    assert not idle.auc.high < 1 and not idle.tpr(0.1).high < 1.1
    for end in (idle.auc.low, idle.auc.mean, idle.auc.high):  # nothing here says that it is small
        assert not end < 1 and not end <= 1 and not end < 1 and not end <= 1.0
    assert idle.auc.low > 0.1
    assert explain("<", idle.auc.high, 0.6)[0].startswith("AUC of ")
    assert any("cannot be judged: the target did not" in x for x in idle.auc.lines())
    assert "cannot be judged: the target did not learn" in told[-1]
    with pytest.raises(AssertionError, match="cannot be judged"):
        gauge.check(idle)
    able = gauge.membership(Frozen(scale=1.0), **MEMBERSHIP)
    assert able.learned and able.auc.high < 1
    assert "; the target learned: " in told[-1]


def test_membership_has_its_intervals_and_bounds(gauge):
    options = {"noise_multiplier": 1.0}
    longer = {**MEMBERSHIP, "epochs": 12}
    found = gauge.membership("dpsgd", defense_options=options, batch_size=100, **longer)
    assert found.learned
    record = found.records[0]
    truth, scores = record.arrays["members"].numpy(), record.arrays[f"scores/{found.attack}"]
    assert found.auc.low < found.auc.mean < found.auc.high
    assert found.auc.mean == max(found.by(a).auc.mean for a in found.attacks)
    assert found.tpr(0.1).mean == record.summary["tpr_at"][found.attack]["0.1"]["mean"]
    assert found.tpr(0.02).high == detection.tpr_at(detection.sample(scores, truth), 0.02).high
    assert found.tpr(0.1).bound == detection.dp_bound(0.1, found.epsilon, 1e-5)
    with pytest.raises(BadInput, match="takes at least 1,000 non-members"):
        found.tpr(0.001)
    with pytest.raises(BadInput, match="'lira' was not played; there are: loss, rmia"):
        found.by("lira")


def test_an_audit_refutes_a_claim_that_is_too_small(gauge):
    options = {"noise_multiplier": 0.5}
    found = gauge.audit("dpsgd", defense_options=options, claim=0.1, **AUDIT)
    assert found.refuted
    assert found.epsilon_low > found.claimed == 0.1
    assert "proven, 0.1 claimed; figure: " in repr(found.refuted)
    assert "; the guarantee is false: epsilon is at least " in found.headline()
    with pytest.raises(AssertionError, match="the guarantee is false: epsilon is at least"):
        gauge.check(found)
    assert found.figure.name == "epsilon.png" and found.figure.stat().st_size > 1000
    assert not gauge.audit("dpsgd", defense_options=options, claim=15.0, **AUDIT).refuted


def test_an_audit_that_could_not_refute_its_claim_is_inconclusive(gauge):
    options = {"noise_multiplier": 0.5}
    found = gauge.audit("dpsgd", defense_options=options, claim=100.0, **AUDIT)
    assert found.doubt.startswith("even perfect scores would prove no more than epsilon ")
    assert f"cannot be judged: {found.doubt}" in found.headline()
    with pytest.raises(AssertionError, match="cannot be judged: even perfect scores"):
        assert not found.refuted
    assert not found.epsilon_low < 100
    with pytest.raises(AssertionError, match="cannot be judged"):
        gauge.check(found)


def test_members_found_above_the_bound_are_said_to_make_the_guarantee_false(gauge):
    found = gauge.membership("dpsgd", defense_options={"noise_multiplier": 1.0}, **MEMBERSHIP)
    (record,) = found.records
    assert not found.contradictions() and "the guarantee is false" not in found.headline()
    sure = record.arrays["members"].double()
    arrays = {**record.arrays, f"scores/{found.attack}": sure}
    bounds = {**record.bounds, "epsilon": 1.0, "holds": True}
    wrong = dataclasses.replace(
        found, records=(dataclasses.replace(record, arrays=arrays, bounds=bounds),)
    )
    (told,) = wrong.refutation
    assert told.startswith("the guarantee is false: ") and "where epsilon 1 allows" in told
    assert told in wrong.headline() and told in wrong.auc.lines()


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 3.0, 50.0])
def test_the_bound_on_the_auc_is_the_area_under_the_bound_on_the_roc(epsilon):
    rates = np.linspace(0, 1, 200_001)
    area = float(detection.dp_bound(rates, epsilon, 0.01).mean())
    assert detection.dp_area(epsilon, 0.01) == pytest.approx(area, abs=1e-4)


# The defense


def test_a_defense_is_known_by_its_registered_name_else_by_its_class():
    assert Subject.of(defenses.get("topk", rate=0.5)).name == "topk"
    assert Subject.of(defenses.get("topk+quantize")).name == "topk+quantize"
    assert Subject.of(Coarse(step=0.5)).label == "Coarse(step=0.5)"

    class none(Coarse):  # the name of another one
        pass

    class Quieter(defenses.registry.find("dpsgd")):  # inherits "dpsgd"
        pass

    assert Subject.of(none()).name.endswith("<locals>.none")
    assert Subject.of(Quieter()).name == "Quieter"
    for subject in (Subject.of(none()), Subject.of(Quieter()), Subject.of("topk")):
        with subject.known():
            assert defenses.registry.find(subject.name) is type(subject.defense)


@dataclass(frozen=True)
class Odd(Coarse):
    """Options that no study could make it of."""

    levels: object = None


BAD = [
    (lambda g: g.invert(Coarse), "Coarse is a class; give an instance"),
    (lambda g: g.invert(3), "3 is no defense"),
    (lambda g: g.invert("nothing"), "unknown defense 'nothing'"),
    (lambda g: g.invert(Coarse(), defense_options={"step": 1.0}), "an instance has its own"),
    (lambda g: g.invert(Coarse(hidden=3)), "the hidden field 'hidden' of Coarse is set"),
    (lambda g: g.invert(Odd(levels={1, 2})), "options of Odd must be numbers"),
    (lambda g: g.invert(Coarse(), imags=3), "attacks.invert has no 'imags'; it has: against"),
    (lambda g: g.invert(Coarse(), seeds=0), "seeds is 0"),
    (lambda g: g.membership(Coarse(), shadow=3), "attacks.membership has no 'shadow'"),
    (lambda g: g.audit(Coarse(), training=3), "attacks.audit has no 'training'"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[m for _, m in BAD])
def test_what_cannot_be_run_is_said_in_one_line(gauge, call, message):
    with pytest.raises(BadInput) as found:
        call(gauge)
    assert message in str(found.value) and "\n" not in str(found.value)


# Messages


def test_a_failed_comparison_tells_interval_baseline_bound_and_context():
    leak = Leak(
        "AUC",
        Estimate(0.7, 0.65, 0.75, 400),
        baseline=Estimate.exact(0.5),
        bound=0.9,
        context=lambda: ["figure: roc.png"],
    )
    assert explain("<", leak.high, 0.6) == [
        "AUC.high 0.75 < 0.6",
        "AUC 0.700 [0.650, 0.750], n = 400",
        "guessing gives 0.500",
        "theory allows at most 0.9",
        "figure: roc.png",
    ]
    assert explain("<=", 0.8, leak.low)[0] == "0.8 <= AUC.low 0.65"
    assert explain("<", 0.8, 0.6) is None
    assert isinstance(leak.high, Bound) and leak.high - 0.05 == pytest.approx(0.7)
    with pytest.raises(TypeError, match="compare a bound of the AUC"):
        _ = leak < 0.6
    for value in (leak.high, Verdict.of(True, "so")):
        assert pickle.loads(pickle.dumps(value)) == value
    alone = Leak("PSNR", Estimate(12.0, n=1), "dB")
    assert not alone.high < 99 and alone.show() == "PSNR 12.0 dB [no interval]"


# Growth


def test_a_leak_that_does_not_grow_is_seldom_called_so_and_one_that_does_is():
    draw = np.random.default_rng(0)
    before = {f"0/{i}": v for i, v in enumerate(draw.normal(12, 3, 12))}
    called = {"same": 0, "more": 0}
    for _ in range(60):
        for name, shift in (("same", 0.0), ("more", 1.5)):
            after = {k: v + draw.normal(shift, 1.0) for k, v in before.items()}
            called[name] += growth.compare({"psnr": before}, {"psnr": after})[0].grew
    assert called["same"] <= 5  # at 1 in 40 more happen once in 10,000 times
    assert called["more"] >= 55


def test_rounding_is_no_growth_and_a_smaller_lpips_is():
    units = {f"0/{i}": 0.1 * i for i in range(8)}
    for name, shift, grew in (
        ("psnr", 0.09, False),
        ("psnr", 0.11, True),
        ("psnr", -3.0, False),
        ("lpips", -0.1, True),
        ("lpips", 0.1, False),
        ("AUC of lira", 0.004, False),
    ):
        moved = {k: v + shift for k, v in units.items()}
        assert growth.compare({name: units}, {name: moved})[0].grew is grew


def test_influences_average_to_the_auc_and_spread_like_its_error():
    draw = np.random.default_rng(1)
    members = np.arange(300) % 3 == 0
    scores = draw.normal(0, 1, 300).round(1) + members
    parts = membership.influence(scores, members)
    found = detection.auc(detection.sample(scores, members))
    assert parts.mean() == pytest.approx(found.mean)
    half = 1.96 * parts.std() / math.sqrt(300)
    assert half == pytest.approx((found.high - found.low) / 2, rel=0.02)


# Baselines


def test_a_baseline_is_stored_held_and_outgrown(gauge, inverted, told):
    with pytest.raises(AssertionError, match=r"there is no baseline .*\n.*--leakage-update"):
        gauge.check(inverted)
    storing = dataclasses.replace(gauge, update=True)
    assert storing.check(inverted) == []
    path = gauge.baselines / "test_mine.test_it.json"
    stored = json.loads(path.read_text())
    assert stored["options"] == {"step": 0.01} and stored["settings"]["images"] == 8
    assert stored["leaks"]["adaptive PSNR"] == inverted.psnr.show().removeprefix("adaptive PSNR ")

    gauge = dataclasses.replace(gauge)
    held = gauge.check(inverted)
    assert [g.leak for g in held if g.difference.n] == ["psnr", "ssim", "outranked"]
    assert all(
        not g.grew and (g.after - g.before or 0) == pytest.approx(0, abs=1e-4) for g in held[:-1]
    )
    with pytest.raises(BadInput, match="name the second"):
        gauge.check(inverted)
    with pytest.raises(AssertionError, match=r"no baseline .*test_it\.noisy\.json"):
        gauge.check(inverted, "noisy")

    stored["units"]["psnr"] = {k: v - 3 for k, v in stored["units"]["psnr"].items()}
    stored["options"], stored["claimed epsilon"] = {"step": 0.5}, 3.0
    path.write_text(json.dumps(stored))
    with pytest.raises(AssertionError) as found:
        dataclasses.replace(gauge).check(inverted)
    lines = str(found.value).splitlines()
    assert lines[0].startswith("Coarse(step=0.01) leaks more than the baseline ")
    assert lines[1].startswith("GREW  psnr: ") and "+3 over 8 pairs, p = 0.0078" in lines[1]
    assert "GREW  claimed epsilon: 3 -> inf" in lines
    assert "its options changed: step 0.5 -> 0.01" in lines
    figure = next(line for line in lines if line.startswith("figure: ")).removeprefix("figure: ")
    assert Path(figure).stat().st_size > 1000
    assert (Path(figure).parent / "result.json").exists()
    assert told[-1].startswith("against the baseline: psnr +3")


def broken(change):
    def made(stored):
        change(stored)
        return json.dumps(stored).encode()

    return made


HOSTILE = {
    "empty": lambda stored: b"",
    "truncated": lambda stored: json.dumps(stored).encode()[:-40],
    "a list": lambda stored: b"[1]",
    "not text": lambda stored: b"\xff\xfe\x00",
    "nested": lambda stored: b"[" * 100_000,
    "long number": lambda stored: b'{"leakgauge baseline": ' + b"9" * 10_000 + b"}",
    "a pickle": lambda stored: pickle.dumps(os.getcwd),
    "another format": broken(lambda s: s.update({"leakgauge baseline": 2})),
    "not a number": broken(lambda s: s["units"]["psnr"].update({"0/0": math.nan})),
    "no number": broken(lambda s: s["units"]["psnr"].update({"0/0": "__import__('os')"})),
    "no units": broken(lambda s: s.pop("units")),
    "units gone": broken(lambda s: s["units"].clear()),
    "other units": broken(lambda s: s["units"]["psnr"].pop("0/0")),
    "a leak gone": broken(lambda s: s["units"].update({"depth": s["units"]["psnr"]})),
    "other settings": broken(lambda s: s["settings"].update({"images": 7})),
    "settings gone": broken(lambda s: s["settings"].pop("data")),
    "another kind": broken(lambda s: s.update({"kind": "audit"})),
    "other types": broken(lambda s: s.update({"settings": 3})),
    "epsilon": broken(lambda s: s.update({"claimed epsilon": -1})),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_baseline_that_cannot_be_used_fails_clearly(inverted, tmp_path, name):
    path = tmp_path / "b.json"
    store.write(inverted, path)
    path.write_bytes(HOSTILE[name](json.loads(path.read_text())))
    with pytest.raises(AssertionError) as found:
        check.growths(check.read_baseline(path), inverted)
    assert "baseline" in str(found.value) and "--leakage-update" in str(found.value)
    assert len(str(found.value)) < 700
    if name == "other settings":
        assert "images 7 -> 8" in str(found.value)


def test_a_setting_that_is_new_counts_as_its_default(inverted, tmp_path):
    path = tmp_path / "b.json"
    store.write(inverted, path)
    stored = json.loads(path.read_text())
    del stored["settings"]["labels_known"]
    path.write_text(json.dumps(stored))
    assert not any(g.grew for g in check.growths(check.read_baseline(path), inverted))


def test_names_of_tests_make_names_of_files():
    assert plain("test_a.test_b[0.5-x]") == "test_a.test_b[0.5-x]"
    assert plain("test_a.test_b[../c]") != plain("test_a.test_b[..|c]")
    assert "/" not in plain("test_a.test_b[../c]") and len(plain("é" * 400)) < 140


# The plugin

USERS = """
from dataclasses import dataclass
import defenses
from defenses import option

TINY = {"data": "digits", "model": "linear", "images": 10, "attack": "bayes"}
TINY["attack_options"] = {"iterations": 10}

@dataclass(frozen=True)
class Mine(defenses.Compression):
    std: float = option(300.0, "of the noise", low=0)

    def compress(self, mean, plan, generator):
        draw = defenses.gradients.add_noise
        return draw(mean, self.std, generator), 4

    def public(self, batch_size):
        return {"batch_size": batch_size, "noise_std": self.std}

def test_plain():
    pass

def test_holds(leakage):
    result = leakage.invert(Mine(), **TINY)
    assert result.adaptive
    leakage.check(result)

def test_fails(leakage):
    assert leakage.invert(Mine(), **TINY).psnr.high < 1
"""


def test_a_users_repository(pytester):
    path = pytester.makepyfile(test_users=USERS)
    first = pytester.runpytest_inprocess("--strict-markers", "-m", "leakage", "--leakage-update")
    first.assert_outcomes(passed=1, failed=1, deselected=1)
    first.stdout.fnmatch_lines(
        [
            "E       assert adaptive PSNR.high * < 1",
            "E         adaptive PSNR * dB [[]*, *[]], n = 10",
            "E         guessing gives * dB [[]*",
            "E         figure: .pytest_cache/d/leakage/test_users.test_fails/*.png",
            "E         Mine: no privacy guarantee (epsilon = inf).",
            "E         naive attack: PSNR * dB *",
            "=* leakage *=",
            "test_users.py::test_holds",
            "  inversion of Mine(std=300.0), linear on digits: adaptive PSNR *; guessing *",
            "  baseline stored: leakage_baselines/test_users.test_holds.json",
        ]
    )
    drawn = pytester.path / ".pytest_cache/d/leakage/test_users.test_fails/1-inversion"
    assert (drawn / "reconstructions.png").stat().st_size > 1000
    command = json.loads((drawn / "result.json").read_text())["environment"]["command"]
    assert command == "python -m pytest test_users.py::test_fails"

    again = ["--leakage-out", "kept", "--junitxml", "junit.xml", "-k", "holds"]
    pytester.runpytest_inprocess(*again).assert_outcomes(passed=1, deselected=2)
    assert (pytester.path / "kept/test_users.test_holds/1-inversion/reconstructions.png").exists()
    assert 'name="leakage" value="inversion of Mine' in (pytester.path / "junit.xml").read_text()

    path.write_text(USERS.replace("draw(mean, self.std,", "draw(mean, 0.0001 * self.std,"))
    weaker = pytester.runpytest_inprocess("-k", "holds", "-p", "no:cacheprovider")
    weaker.assert_outcomes(failed=1, deselected=2)
    weaker.stdout.fnmatch_lines(
        ["E *cannot be judged: the naive attacker finds more: *", "*naive PSNR *"]
    )


def test_the_plugin_costs_a_run_without_leakage_tests_next_to_nothing():
    told = (
        "import sys, attacks.leakage.plugin; print({'torch', 'numpy', 'defenses'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.slow
def test_the_worked_example_in_an_environment_of_its_own(tmp_path):
    """Both packages installed, by name and by flags; then a weaker version of the defense."""
    source, example = tmp_path / "leakgauge", tmp_path / "example"
    source.mkdir()
    for name in ("attacks", "defenses", "reports", "victims"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "tests/example_defense", example, ignore=shutil.ignore_patterns("*cache*")
    )
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin/python"
    home = next((venv / "lib").iterdir()) / "site-packages"
    # What is installed here (torch, pytest) is found there too, after what is installed there.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (home / "around.pth").write_text("".join(lines))

    def run(*words, code=0):
        spent = subprocess.run(
            [*map(str, words)], cwd=example, capture_output=True, text=True, timeout=500
        )
        assert spent.returncode == code, spent.stdout + spent.stderr
        return spent.stdout

    for folder in (source, example):
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        run(sys.executable, "-m", "pip", "--python", python, "install", *options, folder)
    (example / "softclip.py").unlink()  # so that the installed one runs
    where = run(
        python, "-c", "import attacks, softclip; print(attacks.__file__, softclip.__file__)"
    )
    assert where.count(str(venv)) == 2

    for name in ("soft-clip", "softclip:SoftClip"):
        shown = run(python, "-m", "attacks.invert", "--defense", name, "--help")
        assert (
            "--noise-multiplier FLOAT" in shown and "noise std over C >= 0 (default 2.0)" in shown
        )

    out = run(python, "-m", "pytest", "-q")
    assert "3 passed" in out and f"{len(CHECKS)} of {len(CHECKS)} checks hold: SoftClip" in out

    installed = home / "softclip.py"
    text = installed.read_text()
    installed.write_text(text.replace("std = self.noise", "std = 0.1 * self.noise"))
    assert installed.read_text() != text
    out = run(python, "-m", "pytest", "-q", code=1)
    assert "3 failed" in out
    for words in (
        "does not conform",
        "leaks more than the baseline",
        "GREW  outranked",
        "claimed; figure: ",
    ):
        assert words in out
